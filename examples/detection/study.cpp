// The runs of the study: what is trained, and in which order.
#include "study.hpp"

namespace detection_program {

namespace {

Protocol protocol_of(const StudyOptions& o) {
  Protocol p;
  if (o.scale == "smoke") {
    p.data = {"--dataset", "synthetic", "--images", "8", "--batch", "4", "--size", "64", "--epochs", "1"};
    p.eval = {"--dataset", "synthetic", "--images", "8"};
    p.weights = "last.safetensors";
    p.about = "Generated scenes, two steps: this shows that the program runs, nothing else.";
    return p;
  }
  check(!o.data.empty(), "--data is missing: the folder of {}", o.scale == "quick" ? "BCCD" : "COCO 2017");
  if (o.scale == "quick") {
    p.data = {"--dataset", "coco-json", "--data", o.data, "--size", "320", "--test-epochs", "2"};
    p.plain = {"--epochs", "24", "--lr", "3e-4", "--lr-steps", "18,22"};
    p.heads = {"--epochs", "8", "--lr", "3e-4", "--lr-steps", "6"};
    p.upcycled_soft = {"--epochs", "4", "--lr", "3e-5", "--lr-steps", "3"};
    p.upcycled_hard = {"--epochs", "4", "--lr", "3e-4", "--lr-steps", "3"};
    p.eval = {"--dataset", "coco-json", "--split", "test"};
    p.weights = "best.safetensors";
    p.about =
        "Not the published protocol: ResNet-18 instead of ResNet-50, blood cells (BCCD, three classes) with a shorter "
        "side of 320 pixels instead of COCO, 24 epochs for the plain network from random weights, 8 for mixtures on "
        "its frozen backbone and pyramid, 4 for those that begin as its heads. Weights are the best on the validation "
        "set, figures are those of the test set.";
    return p;
  }
  p.data = {"--dataset", "coco", "--data", o.data, "--backbone", "resnet50", "--lr", "1e-5"};
  p.plain = {"--epochs", "20", "--lr-steps", "12,17"};
  p.heads = {"--epochs", "20", "--lr-steps", "14,18"};
  p.upcycled_soft = {"--epochs", "6", "--lr", "1e-6", "--lr-steps", "4"};
  p.upcycled_hard = {"--epochs", "6"};
  p.eval = {"--dataset", "coco", "--split", "val"};
  p.weights = "last.safetensors";
  p.about =
      "The published protocol: COCO 2017, shorter side 608 pixels, Adam at 1e-5, batches of 4; mixtures on the frozen "
      "backbone and pyramid of the plain network.";
  p.published = true;
  return p;
}

}  // namespace

std::vector<Experiment> experiments() {
  std::vector<Experiment> all{
      {"T5", "AP of the heads (Table V)", {}},
      {"T6", "Weights of the regressor's experts on each level (Table VI)", {kl, importance, relative}},
      {"T7", "Weights of the classifier's experts on each level (Table VII)", {kl, importance, relative}},
      {"T8", "The same of experts that began as the plain heads (Table VIII)", {upcycled_kl}},
      {"X", "Every expert alone, and every k", {kl, importance, relative, upcycled_kl}}};
  for (std::size_t c = 0; c < cells.size(); ++c) all[0].cells.push_back(c);
  return all;
}

Results::Results(const StudyOptions& o, Protocol p)
    : options_(o), protocol_(std::move(p)), seeds_(o.seeds > 0 ? o.seeds : protocol_.seeds) {
  for (std::size_t c = 0; c < cells.size(); ++c) {
    figures_.emplace_back();
    for (int s = 0; s < seeds_; ++s) figures_[c].push_back(run(c, s).figures());
  }
}

std::filesystem::path Results::folder(std::size_t c, int seed) const {
  return std::filesystem::path(options_.out) / "runs" / formatted("{}_seed-{}", cells[c].name(), 42 + seed);
}

runs::Run Results::run(std::size_t c, int seed) const {
  const Cell& cell = cells[c];
  Words train = protocol_.data;
  if (cell.plain()) {
    train = train + protocol_.plain;
    if (!options_.backbone_weights.empty()) train = train + Words{"--backbone-weights", options_.backbone_weights};
  } else {
    const std::string from = (folder(plain, seed) / protocol_.weights).string();
    train = train + (!cell.upcycled ? protocol_.heads
                     : cell.soft()  ? protocol_.upcycled_soft
                                    : protocol_.upcycled_hard);
    train = train + Words{"--moe",
                          cell.moe,
                          "--constraint",
                          cell.constraint,
                          "--freeze",
                          "backbone,fpn,norms",
                          cell.upcycled ? "--upcycle" : "--base-weights",
                          from};
  }
  runs::RunPlan plan{.folder = folder(c, seed),
                     .train = train + Words{"--seed", std::to_string(42 + seed)},
                     .passed_on = options_.passed_on,
                     .eval = protocol_.eval + runs::for_eval(options_.passed_on),
                     .weights = protocol_.weights};
  if (cell.moe == "2block") plan.eval.push_back("--each-expert");
  return runs::Run(std::move(plan));
}

Words Results::drawing(std::size_t c, int seed) const {
  if (cells[c].plain()) return {};
  Words words{"predict",
              "--weights",
              (folder(c, seed) / protocol_.weights).string(),
              "--first",
              "3",
              "--least-score",
              "0.5",
              "--out",
              drawn(c, seed).parent_path().string(),
              "--json",
              drawn(c, seed).string()};
  if (cells[c].moe == "2block") words.push_back("--each-expert");
  if (!options_.data.empty()) words = words + Words{"--data", options_.data};
  return words + protocol_.eval + runs::for_eval(options_.passed_on);
}

void Results::refresh(std::size_t c, int seed) { figures_[c][static_cast<std::size_t>(seed)] = run(c, seed).figures(); }

const std::vector<io::Json>& Results::figures(std::size_t c) const { return figures_[c]; }

std::vector<double> Results::percents(std::size_t c, const std::function<io::Json(const io::Json&)>& of) const {
  std::vector<double> all;
  for (const io::Json& f : figures(c))
    all.push_back(f.is_object() ? 100 * of(f).number_or(std::nan("")) : std::nan(""));
  return all;
}

std::vector<double> Results::coco(std::size_t c, const char* key) const {
  return percents(c, [&](const io::Json& j) { return j["coco"][key]; });
}

std::vector<std::vector<double>> Results::level_weights(std::size_t c, bool of_classifier) const {
  std::vector<std::vector<double>> all;
  for (const io::Json& f : figures(c)) {
    if (!f.is_object() || !all.empty()) continue;
    for (int l = 0; l < levels; ++l) {
      const auto m = static_cast<std::size_t>(l + (of_classifier ? levels : 0));
      all.emplace_back();
      for (const io::Json& w : f["mixtures"][m]["mean_weights"].elements())
        all.back().push_back(w.number_or(std::nan("")));
    }
  }
  return all;
}

std::vector<std::string> Results::troubles(const std::vector<std::size_t>& of) const {
  std::vector<std::string> all;
  for (const std::size_t c : of)
    for (int s = 0; s < seeds_; ++s) {
      const runs::Run r = run(c, s);
      if (const std::string trouble = r.trouble(); !trouble.empty())
        all.push_back(formatted("{} {} with seed {}: {}", cells[c].title(),
                                r.other().empty() ? "failed" : "is not known", 42 + s, trouble));
    }
  return all;
}

std::string Results::additions(const std::vector<std::size_t>& of) const {
  std::vector<Settings> all;
  for (const std::size_t c : of)
    for (int s = 0; s < seeds_; ++s)
      if (const runs::Run r = run(c, s); r.done()) all.push_back(r.additions());
  return runs::in_every_run(all);
}

namespace {

/// Draws the pictures of a finished mixture where that is still to do; says whether it has.
bool draw(const Results& r, std::size_t c, int seed, const runs::Program& program) {
  const Words words = r.drawing(c, seed);
  if (words.empty() || !r.run(c, seed).done() || std::filesystem::exists(r.drawn(c, seed))) return false;
  try {
    return program(words) == 0;
  } catch (const Error& e) {
    fmt::print(stderr, "no pictures of {}: {}\n", cells[c].title(), e.what());
    return false;
  }
}

}  // namespace

int study(const StudyOptions& o, const runs::Program& program) {
  Results results(o, protocol_of(o));
  const auto all = experiments();
  runs::check_only(o, all);
  std::vector<Experiment> wanted;
  for (const Experiment& e : all)
    if (runs::wanted(o, e.id)) wanted.push_back(e);

  // The plain network comes first: all others begin with parts of it.
  std::vector<std::size_t> order{plain};
  for (const Experiment& e : wanted)
    for (const std::size_t c : e.cells)
      if (std::find(order.begin(), order.end(), c) == order.end()) order.push_back(c);
  const std::filesystem::path out = o.out;
  if (!o.list) runs::make_folder(out);
  const auto write = [&](const std::size_t* of) {
    for (const Experiment& e : wanted)
      if (!of || std::find(e.cells.begin(), e.cells.end(), *of) != e.cells.end()) write_tables(results, e, out);
    write_study_page(results, out);
  };
  runs::Worker work(program, o.out, o.list);
  for (int s = 0; s < results.seeds(); ++s)
    for (const std::size_t c : order) {
      const bool done = results.run(c, s).done();
      if (const int status = work(formatted("{}, seed {}", cells[c].title(), 42 + s), results.run(c, s))) return status;
      if (o.list) continue;
      const bool drawn = draw(results, c, s, program);
      if (done && !drawn) continue;
      results.refresh(c, s);
      write(&c);
    }
  if (!o.list) write(nullptr);
  if (!o.list) fmt::print("tables   {}\npage     {}\n", (out / "*.md").string(), (out / "study.html").string());
  work.finish();
  return 0;
}

}  // namespace detection_program
