// The detection study's tables V to VIII, and its experts one by one, as a list of runs that can be interrupted and
// resumed.
#include "study.hpp"

#include <moecnn/report/study_table.hpp>

#include <array>

namespace detection_program {
namespace {

using runs::Words, runs::operator+;

/// A row of Table V: which heads, and how they are trained.
struct Cell {
  std::string moe = "none", constraint = {};
  bool upcycled = false;    ///< from the plain heads instead of random weights
  double ap = 0, ap50 = 0;  ///< published

  std::string name() const { return moe == "none" ? "plain" : moe + "-" + constraint + (upcycled ? "-upcycled" : ""); }
  std::string title() const {
    if (moe == "none") return "plain heads";
    return formatted("{}, {}{}", moe, constraint, upcycled ? ", from the plain heads" : "");
  }
};

const std::vector<Cell> cells{{"none", "", false, 35.0, 52.5},           {"single", "kl", false, 33.4, 50.9},
                              {"2block", "kl", false, 33.5, 50.9},       {"2block", "importance", false, 33.5, 50.9},
                              {"2block", "relative", false, 33.7, 51.0}, {"conv4", "kl", false, 33.6, 50.9},
                              {"conv4", "relative", false, 33.6, 50.9},  {"2block", "kl", true, 35.1, 52.7},
                              {"2block", "relative", true, 34.4, 51.7},  {"conv4", "kl", true, 35.1, 52.6}};
/// Places in the list.
constexpr std::size_t plain = 0, kl = 2, importance = 3, relative = 4, upcycled_kl = 7;

constexpr int experts = 4, levels = 5;
/// Mean weights in percent, level by level from P3 to P7.
using Weights = std::array<std::array<double, experts>, levels>;

/// Tables VI to VIII: the mixture of one head, and the published weights.
struct LevelTable {
  std::string id;
  std::size_t cell;
  bool classifier;
  Weights published;
};

const std::vector<LevelTable> level_tables{{"T6",
                                            kl,
                                            false,
                                            {{{65.54, 0.00, 0.16, 34.30},
                                              {56.44, 0.04, 0.52, 42.99},
                                              {2.32, 2.25, 47.43, 48.00},
                                              {0.01, 55.83, 43.94, 0.22},
                                              {0.04, 66.49, 33.37, 0.10}}}},
                                           {"T6",
                                            importance,
                                            false,
                                            {{{0.03, 0.00, 35.24, 64.73},
                                              {0.51, 0.01, 41.19, 58.28},
                                              {50.10, 1.60, 47.07, 1.23},
                                              {47.34, 52.59, 0.07, 0.00},
                                              {27.36, 71.28, 1.27, 0.09}}}},
                                           {"T6",
                                            relative,
                                            false,
                                            {{{67.75, 2.62, 13.85, 15.79},
                                              {33.00, 16.23, 47.13, 3.64},
                                              {0.11, 50.90, 46.77, 2.21},
                                              {9.69, 29.81, 23.81, 36.69},
                                              {0.29, 54.30, 44.03, 1.38}}}},
                                           {"T7",
                                            kl,
                                            true,
                                            {{{0.00, 0.05, 59.36, 40.59},
                                              {0.00, 4.44, 57.12, 38.44},
                                              {1.42, 58.42, 8.15, 32.01},
                                              {26.55, 58.19, 0.00, 15.26},
                                              {90.02, 7.17, 2.34, 0.47}}}},
                                           {"T7",
                                            importance,
                                            true,
                                            {{{43.27, 56.70, 0.03, 0.00},
                                              {39.70, 58.04, 2.26, 0.01},
                                              {31.15, 9.40, 58.17, 1.28},
                                              {10.42, 0.00, 58.58, 31.00},
                                              {0.51, 0.27, 9.03, 90.19}}}},
                                           {"T7",
                                            relative,
                                            true,
                                            {{{0.06, 69.68, 11.67, 18.59},
                                              {15.54, 21.43, 18.57, 44.46},
                                              {54.54, 0.04, 23.78, 21.64},
                                              {15.74, 0.10, 32.83, 51.33},
                                              {52.52, 0.27, 26.60, 20.62}}}},
                                           {"T8",
                                            upcycled_kl,
                                            false,
                                            {{{37.83, 48.78, 0.64, 12.76},
                                              {36.75, 46.07, 1.95, 15.23},
                                              {21.00, 38.26, 15.33, 25.40},
                                              {8.46, 24.40, 38.56, 28.58},
                                              {3.20, 30.58, 50.67, 15.55}}}},
                                           {"T8",
                                            upcycled_kl,
                                            true,
                                            {{{0.01, 48.13, 50.76, 1.09},
                                              {0.75, 41.80, 46.31, 11.14},
                                              {29.08, 29.53, 22.19, 19.20},
                                              {54.14, 22.64, 8.07, 15.15},
                                              {55.03, 18.59, 9.42, 16.95}}}}};

struct Experiment {
  std::string id, title;
  std::vector<std::size_t> cells;
};

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

/// How the networks are trained and measured.
struct Protocol {
  Words data, plain, heads, upcycled_soft, upcycled_hard, eval;
  std::string weights, about;
  int seeds = 1;
};

Protocol protocol_of(const StudyOptions& o) {
  if (o.scale == "smoke") {
    const Words small{"--dataset", "synthetic", "--images", "8", "--batch", "4", "--size", "64", "--epochs", "1"};
    return {small,
            {},
            {},
            {},
            {},
            {"--dataset", "synthetic", "--images", "8"},
            "last.safetensors",
            "Generated scenes, two steps: this shows that the program runs, nothing else."};
  }
  check(!o.data.empty(), "--data is missing: the folder of {}", o.scale == "quick" ? "BCCD" : "COCO 2017");
  if (o.scale == "quick")
    return {
        {"--dataset", "coco-json", "--data", o.data, "--size", "320", "--test-epochs", "2"},
        {"--epochs", "24", "--lr", "3e-4", "--lr-steps", "18,22"},
        {"--epochs", "8", "--lr", "3e-4", "--lr-steps", "6"},
        {"--epochs", "4", "--lr", "3e-5", "--lr-steps", "3"},
        {"--epochs", "4", "--lr", "3e-4", "--lr-steps", "3"},
        {"--dataset", "coco-json", "--split", "test"},
        "best.safetensors",
        "Not the published protocol: ResNet-18 instead of ResNet-50, blood cells (BCCD, three classes) with a shorter "
        "side of 320 pixels instead of COCO, 24 epochs for the plain network from random weights, 8 for mixtures on "
        "its frozen backbone and pyramid, 4 for those that begin as its heads. Weights are the best on the validation "
        "set, figures are those of the test set."};
  return {
      {"--dataset", "coco", "--data", o.data, "--backbone", "resnet50", "--lr", "1e-5"},
      {"--epochs", "20", "--lr-steps", "12,17"},
      {"--epochs", "20", "--lr-steps", "14,18"},
      {"--epochs", "6", "--lr", "1e-6", "--lr-steps", "4"},
      {"--epochs", "6"},
      {"--dataset", "coco", "--split", "val"},
      "last.safetensors",
      "The published protocol: COCO 2017, shorter side 608 pixels, Adam at 1e-5, batches of 4; mixtures on the frozen "
      "backbone and pyramid of the plain network."};
}

class Results {
 public:
  Results(const StudyOptions& o, Protocol p) : options_(o), protocol_(std::move(p)) {
    seeds_ = o.seeds > 0 ? o.seeds : protocol_.seeds;
  }
  int seeds() const { return seeds_; }

  std::filesystem::path folder(std::size_t c, int seed) const {
    return std::filesystem::path(options_.out) / "runs" / formatted("{}_seed-{}", cells[c].name(), 42 + seed);
  }
  runs::Run run(std::size_t c, int seed) const {
    const Cell& cell = cells[c];
    Words train = protocol_.data;
    const bool soft = cell.constraint == "kl" || cell.constraint == "importance";
    if (c == plain) {
      train = train + protocol_.plain;
      if (!options_.backbone_weights.empty()) train = train + Words{"--backbone-weights", options_.backbone_weights};
    } else {
      const std::string from = (folder(plain, seed) / protocol_.weights).string();
      train = train + (!cell.upcycled ? protocol_.heads : soft ? protocol_.upcycled_soft : protocol_.upcycled_hard);
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
                       .eval = protocol_.eval + runs::for_eval(options_.passed_on, {"--threads", "--backend"}),
                       .weights = protocol_.weights};
    if (cell.moe == "2block") plan.eval.push_back("--each-expert");
    return runs::Run(std::move(plan));
  }

  /// What `eval` wrote for each seed; null where a run is not finished.
  std::vector<io::Json> figures(std::size_t c) const {
    std::vector<io::Json> all;
    for (int s = 0; s < seeds_; ++s) all.push_back(run(c, s).figures());
    return all;
  }
  void add_notes(report::StudyTable& t, const std::vector<std::size_t>& of) const {
    std::vector<Settings> additions;
    for (const std::size_t c : of)
      for (int s = 0; s < seeds_; ++s) {
        const runs::Run r = run(c, s);
        if (r.done()) additions.push_back(r.additions());
        if (const std::string trouble = r.trouble(); !trouble.empty())
          t.notes.push_back(formatted("{} {} with seed {}: {}", cells[c].title(),
                                      r.other().empty() ? "failed" : "is not known", 42 + s, trouble));
      }
    t.about += " " + protocol_.about + runs::in_every_run(additions);
  }

 private:
  const StudyOptions& options_;
  Protocol protocol_;
  int seeds_;
};

/// A share of every seed's figures in percent; NaN where there is none.
std::vector<double> percents(const std::vector<io::Json>& figures, const std::function<io::Json(const io::Json&)>& of) {
  std::vector<double> all;
  for (const io::Json& f : figures) all.push_back(f.is_object() ? 100 * of(f).number_or(std::nan("")) : std::nan(""));
  return all;
}

constexpr std::array<const char*, 6> coco_keys{"AP", "AP50", "AP75", "APs", "APm", "APl"};

std::vector<report::StudyMetric> coco_metrics() {
  std::vector<report::StudyMetric> all;
  for (const char* key : coco_keys)
    all.push_back({.key = key, .name = std::string(key) + ", %", .best = report::StudyMetric::Best::highest});
  all[0].difference = true;
  return all;
}

void write_heads(const Results& r, const Experiment& e, const std::filesystem::path& out) {
  report::StudyTable t{.id = e.id,
                       .title = e.title,
                       .about = "Four experts, two active; weight of a balance loss 0.25, limit of a constraint 0.3.",
                       .varied = "heads",
                       .source = "published, COCO",
                       .metrics = coco_metrics(),
                       .rows = {},
                       .baseline = static_cast<int>(plain)};
  for (const std::size_t c : e.cells) {
    report::StudyRow row{cells[c].title(), {}};
    const auto figures = r.figures(c);
    for (const char* key : coco_keys)
      row.values.push_back({.runs = percents(figures, [&](const io::Json& j) { return j["coco"][key]; })});
    row.values[0].paper = cells[c].ap, row.values[1].paper = cells[c].ap50;
    t.rows.push_back(std::move(row));
  }
  r.add_notes(t, e.cells);
  report::write_study(t, out);
}

/// Tables VI to VIII, one file per mixture. The order of the experts means nothing.
void write_levels(const Results& r, const Experiment& e, const std::filesystem::path& out) {
  for (const LevelTable& known : level_tables) {
    if (known.id != e.id) continue;
    const char* head = known.classifier ? "classifier" : "regressor";
    report::StudyTable t{.id = formatted("{}_{}_{}", e.id, cells[known.cell].name(), head),
                         .title = formatted("{}: {}, {}", e.title, cells[known.cell].title(), head),
                         .about = "Mean weight of each expert on each level. The order of the experts means nothing.",
                         .varied = "level",
                         .source = "published, COCO",
                         .metrics = {},
                         .rows = {}};
    for (int x = 0; x < experts; ++x)
      t.metrics.push_back({.key = formatted("expert_{}", x), .name = formatted("expert {}, %", x)});
    const auto figures = r.figures(known.cell);
    for (int l = 0; l < levels; ++l) {
      report::StudyRow row{formatted("P{}", 3 + l), {}};
      for (int x = 0; x < experts; ++x) {
        const auto m = static_cast<std::size_t>(l + (known.classifier ? levels : 0)),
                   expert = static_cast<std::size_t>(x);
        row.values.push_back(
            {.runs = percents(figures, [&](const io::Json& j) { return j["mixtures"][m]["mean_weights"][expert]; }),
             .paper = known.published[static_cast<std::size_t>(l)][expert]});
      }
      t.rows.push_back(std::move(row));
    }
    r.add_notes(t, {known.cell});
    report::write_study(t, out);
  }
}

/// Another choice of experts, as `eval --each-expert` writes it down.
struct Choice {
  std::string head;  ///< in which one expert is alone; empty: k experts in both
  int number;        ///< the expert, or k

  std::string text() const {
    return head.empty() ? formatted("k = {}", number) : formatted("expert {} alone in the {}", number, head);
  }
  /// COCO's numbers with it, null where there are none.
  io::Json coco(const io::Json& figures) const {
    for (const io::Json& c : figures["choices"].elements())
      if (head.empty() ? c["k"].whole_or(0) == number
                       : c["head"].text_or("") == head && c["expert"].whole_or(-1) == number)
        return c["coco"];
    return {};
  }
};

void write_choices(const Results& r, const Experiment& e, const std::filesystem::path& out) {
  std::vector<Choice> choices;
  for (const char* head : {"regressor", "classifier"})
    for (int x = 0; x < experts; ++x) choices.push_back({head, x});
  for (int k = 1; k <= experts; ++k) choices.push_back({"", k});
  for (const std::size_t c : e.cells) {
    report::StudyTable t{.id = formatted("{}_{}", e.id, cells[c].name()),
                         .title = formatted("{}: {}", e.title, cells[c].title()),
                         .about = "The other head is as it was trained, with two active experts.",
                         .varied = "experts",
                         .source = "published",
                         .metrics = coco_metrics(),
                         .rows = {},
                         .baseline = 0};
    const auto figures = r.figures(c);
    const auto add = [&](const std::string& name, const std::function<io::Json(const io::Json&)>& coco) {
      report::StudyRow row{name, {}};
      for (const char* key : coco_keys)
        row.values.push_back({.runs = percents(figures, [&](const io::Json& j) { return coco(j)[key]; })});
      t.rows.push_back(std::move(row));
    };
    add("as trained", [](const io::Json& j) { return j["coco"]; });
    for (const Choice& choice : choices) add(choice.text(), [&](const io::Json& j) { return choice.coco(j); });
    r.add_notes(t, {c});
    report::write_study(t, out);
  }
}

void write(const Results& r, const Experiment& e, const std::filesystem::path& out) {
  if (e.id == "T5") return write_heads(r, e, out);
  if (e.id == "X") return write_choices(r, e, out);
  write_levels(r, e, out);
}

}  // namespace

int study(const StudyOptions& o, const runs::Program& program) {
  const Results results(o, protocol_of(o));
  const auto all = experiments();
  std::string ids;
  for (const Experiment& e : all) ids += (ids.empty() ? "" : ", ") + e.id;
  for (const std::string& id : o.only)
    check(std::any_of(all.begin(), all.end(), [&](const Experiment& e) { return e.id == id; }),
          "there is no experiment {}; choose among {}", id, ids);
  std::vector<Experiment> wanted;
  for (const Experiment& e : all)
    if (o.only.empty() || std::find(o.only.begin(), o.only.end(), e.id) != o.only.end()) wanted.push_back(e);

  // The plain network comes first: all others begin with parts of it.
  std::vector<std::size_t> order{plain};
  for (const Experiment& e : wanted)
    for (const std::size_t c : e.cells)
      if (std::find(order.begin(), order.end(), c) == order.end()) order.push_back(c);
  if (!o.list) runs::make_folder(o.out);
  runs::Worker work(program, o.out, o.list);
  for (int s = 0; s < results.seeds(); ++s)
    for (const std::size_t c : order) {
      if (const int status = work(formatted("{}, seed {}", cells[c].title(), 42 + s), results.run(c, s))) return status;
      if (o.list) continue;
      for (const Experiment& e : wanted)
        if (std::find(e.cells.begin(), e.cells.end(), c) != e.cells.end()) write(results, e, o.out);
    }
  if (!o.list) fmt::print("tables   {}\n", (std::filesystem::path(o.out) / "*.md").string());
  work.finish();
  return 0;
}

}  // namespace detection_program
