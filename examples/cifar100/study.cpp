// The runs of the study: what is trained, and in which order.
#include "study.hpp"

#include "../common/time_text.hpp"
#include "published.hpp"

namespace cifar {

namespace {

/// Cells of tables I and II of the full protocol.
std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  for (const int experts : {4, 10})
    for (int position = 1; position <= 4; ++position)
      for (const auto constraint : published::constraints)
        cells.push_back(mixture(position, experts, std::string(constraint)));
  return cells;
}

/// The part of them that takes two cores a day.
std::vector<Cell> some_cells() {
  std::vector<Cell> cells;
  for (const int position : {1, 4})
    for (const auto constraint : published::constraints) cells.push_back(mixture(position, 4, std::string(constraint)));
  for (const Cell& c : {mixture(1, 10, "relative"), mixture(1, 10, "mean"), mixture(4, 10, "importance")})
    cells.push_back(c);
  return cells;
}

void add_missing(std::vector<Cell>& all, const std::vector<Cell>& some) {
  for (const Cell& c : some)
    if (std::find(all.begin(), all.end(), c) == all.end()) all.push_back(c);
}

}  // namespace

StudyProtocol study_protocol(const StudyOptions& o) {
  StudyProtocol p;
  if (o.scale == "smoke") {
    p.train = {"--data", "synthetic", "--images", "120", "--batch", "40", "--epochs", "1"};
    p.about = "Generated images, three steps: this shows that the program runs, nothing else.";
    p.images = 120, p.points = 24, p.table = some_cells();
    return p;
  }
  check(!o.data.empty(), "--data is missing: the folder with train.bin and test.bin of CIFAR-100 (binary version)");
  p.published = o.scale == "paper";
  p.epochs = p.published ? 150 : 10, p.seeds = p.published ? 3 : 1;
  p.table = p.published ? all_cells() : some_cells();
  p.train = {"--data", o.data, "--epochs", std::to_string(p.epochs)};
  p.about = p.published
                ? "The published protocol: 150 epochs with Adam in batches of 128, the schedules of gate and "
                  "constraint, three seeds (42, 43, 44), test images looked at once per epoch and the last weights "
                  "kept."
                : "Not the published protocol: 10 epochs instead of 150 with the schedules compressed to them, and one "
                  "seed instead of three. Accuracies are far below the published ones; how the settings compare is "
                  "what can be read here.";
  return p;
}

bool has_maps(const Cell& cell) {
  return std::any_of(published::favourites.begin(), published::favourites.end(), [&](const auto& f) {
    return cell == mixture(f.position, 4, std::string(f.constraint), std::string(f.gate));
  });
}

std::vector<StudyExperiment> study_experiments(const StudyProtocol& p) {
  std::vector<StudyExperiment> all;
  all.push_back({"T1", "Use of the experts (Table I)", p.table});
  all.push_back({"T2", "Accuracy (Table II)", {Cell{}}});
  add_missing(all.back().cells, p.table);
  all.push_back({"T3", "Favourite classes (Table III)", {}});
  for (const auto& f : published::favourites)
    all.back().cells.push_back(mixture(f.position, 4, std::string(f.constraint), std::string(f.gate)));
  all.push_back({"T4", "Correlations (Table IV)", {mixture(4, 4, "importance"), mixture(4, 4, "relative")}});
  all.push_back({"K", "Experts per image in the test", {}});
  for (const Cell& c : p.table)
    if (c.position == 4 && (c.experts == 10 || c.constraint == "kl")) all.back().cells.push_back(c);
  all.push_back(
      {"G",
       "Gates",
       {mixture(4, 4, "importance"), mixture(4, 4, "importance", "conv"), mixture(4, 4, "importance", "relu-gap"),
        mixture(4, 4, "relative"), mixture(4, 4, "relative", "conv")}});
  all.push_back({"M", "Multiply-adds", {}});
  all.push_back({"F", "Maps of the gate (Figures 3 and 4)", all[2].cells});
  return all;
}

StudyResults::StudyResults(const StudyOptions& o, StudyProtocol p)
    : options_(o), protocol_(std::move(p)), seeds_(o.seeds > 0 ? o.seeds : protocol_.seeds) {}

runs::Run StudyResults::make(const Cell& cell, int seed) const {
  const auto folder = std::filesystem::path(options_.out) / "runs" / formatted("{}_seed-{}", cell.name(), 42 + seed);
  runs::RunPlan plan{.folder = folder,
                     .train = protocol_.train + cell.words() + runs::Words{"--seed", std::to_string(42 + seed)},
                     .passed_on = options_.passed_on,
                     .eval = runs::for_eval(options_.passed_on),
                     .weights = "last.safetensors"};
  if (!cell.plain())
    plan.eval = plan.eval + runs::Words{"--analysis", (folder / "experts").string(), "--points",
                                        std::to_string(has_maps(cell) ? protocol_.points : 0)};
  return runs::Run(std::move(plan));
}

StudyResults::Runs& StudyResults::at(const Cell& cell) const {
  Runs& r = all_[cell];
  for (int s = static_cast<int>(r.runs.size()); s < seeds_; ++s) {
    r.runs.push_back(make(cell, s));
    r.figures.push_back(r.runs.back().figures());
  }
  return r;
}

void StudyResults::refresh(const Cell& cell, int seed) {
  Runs& r = at(cell);
  const auto s = static_cast<std::size_t>(seed);
  r.runs[s] = make(cell, seed), r.figures[s] = r.runs[s].figures();
}

const runs::Run& StudyResults::run(const Cell& cell, int seed) const {
  return at(cell).runs[static_cast<std::size_t>(seed)];
}
const std::vector<io::Json>& StudyResults::of(const Cell& cell) const { return at(cell).figures; }
io::Json StudyResults::first(const Cell& cell) const {
  for (const io::Json& j : of(cell))
    if (j.is_object()) return j;
  return {};
}

std::vector<double> StudyResults::top1(const Cell& cell) const {
  return values(cell, [](const io::Json& j) { return 100 * j["top1"].number_or(std::nan("")); });
}
std::vector<double> StudyResults::of_mixture(const Cell& cell, const std::string& key, double factor) const {
  return values(cell,
                [&](const io::Json& j) { return factor * j["mixtures"][std::size_t{0}][key].number_or(std::nan("")); });
}

std::vector<std::string> StudyResults::troubles(const std::vector<Cell>& cells) const {
  std::vector<std::string> all;
  for (const Cell& c : cells)
    for (int s = 0; s < seeds_; ++s)
      if (const std::string trouble = run(c, s).trouble(); !trouble.empty())
        all.push_back(run(c, s).other().empty()
                          ? formatted("{} failed with seed {}: {}", c.text(), 42 + s, trouble)
                          : formatted("{} with seed {} is not known: {}", c.text(), 42 + s, trouble));
  return all;
}

std::string StudyResults::additions(const std::vector<Cell>& cells) const {
  std::vector<Settings> all;
  for (const Cell& c : cells)
    for (int s = 0; s < seeds_; ++s)
      if (run(c, s).done()) all.push_back(run(c, s).additions());
  return runs::in_every_run(all);
}

int study(const StudyOptions& o, const runs::Program& program,
          const std::function<double(const Cell&)>& images_per_second) {
  StudyResults results(o, study_protocol(o));
  const StudyProtocol& p = results.protocol();
  const auto all = study_experiments(p);
  runs::check_only(o, all);
  std::vector<Cell> cells;
  for (const auto& e : all)
    if (runs::wanted(o, e.id)) add_missing(cells, e.cells);

  const std::filesystem::path out = o.out;
  const auto write = [&](const Cell* of) {
    for (const auto& e : all)
      if (runs::wanted(o, e.id) && (!of || std::find(e.cells.begin(), e.cells.end(), *of) != e.cells.end()))
        write_tables(results, e, out);
    write_study_page(results, all, out);
  };
  runs::Worker work(program, o.out, o.list);
  if (!o.list) runs::make_folder(out);
  double seconds = 0;
  std::map<Cell, double> rates;  // networks with other seeds take as long
  // One seed of everything comes before the second of anything.
  for (int s = 0; s < results.seeds(); ++s)
    for (const Cell& cell : cells) {
      const runs::Run& run = results.run(cell, s);
      std::string time;
      if (o.list && !run.done() && run.other().empty()) {
        double& rate = rates[cell];
        if (rate == 0) rate = images_per_second(cell);
        const double one = static_cast<double>(p.epochs) * p.images / rate;
        seconds += one, time = formatted(", about {}", time_text(one));
      }
      const bool to_do = !o.list && !run.done() && run.other().empty();
      if (const int status = work(formatted("{}, seed {}", cell.text(), 42 + s), run, time)) return status;
      if (!to_do) continue;
      results.refresh(cell, s);
      write(&cell);
    }
  if (o.list && seconds > 0)
    fmt::print("in all about {} of training on this machine, measured with three steps of each network\n",
               time_text(seconds));
  if (!o.list) {
    write(nullptr);
    fmt::print("tables   {}\npage     {}\n", (out / "*.md").string(), (out / "study.html").string());
  }
  work.finish();
  return 0;
}

}  // namespace cifar
