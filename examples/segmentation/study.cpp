// The experiments E1 to E10 of the segmentation study, as a list of runs that can be interrupted and resumed.
#include "commands.hpp"

#include <moecnn/report/study_table.hpp>

#include <map>

namespace segmentation {
namespace {

using runs::Words, runs::operator+;

/// Common to a number of runs.
struct Protocol {
  Words train, eval;
  std::string weights, about, source;
  int seeds;
};

Protocol protocol_of(const StudyOptions& o) {
  if (o.scale == "smoke")
    return {{"--dataset", "synthetic", "--size", "48x64", "--images", "4", "--batch", "2", "--epochs", "1"},
            {},
            "last.safetensors",
            "Generated scenes of 48 × 64 pixels, one epoch: shows that the program runs, nothing else.",
            "published",
            1};
  check(!o.data.empty(), "--data is missing: the folder of {}", o.scale == "quick" ? "CamVid" : "Cityscapes");
  if (o.scale == "quick")
    return {{"--dataset", "camvid", "--data", o.data, "--size", "180x240", "--crop", "180x240", "--epochs", "30",
             "--optimizer", "adam", "--lr", "1e-3", "--schedule", "poly"},
            {"--split", "test"},
            "best.safetensors",
            "CamVid at 180 × 240 pixels, 30 epochs with Adam and a falling rate: much smaller than the published "
            "protocol. Weights are the best on the validation set; figures are those of the test set.",
            "published, Cityscapes or BDD100K",
            1};
  return {{},
          {"--split", "val"},
          "last.safetensors",
          "The published protocol as far as it is known: 200 epochs, SGD with momentum 0.9 at 2e-2, batches of 8.",
          "published",
          3};
}

/// A row of a table: options that differ from the reference configuration.
struct Row {
  std::string name;
  std::map<std::string, std::string> options;
  std::map<std::string, double> published = {};  ///< by metric
};

struct Experiment {
  std::string id, title, varied, about;
  std::vector<Row> rows;
  int baseline = -1;
};

/// Options of the reference configuration: a row that names one of them with this value is the reference itself.
const std::map<std::string, std::string> reference{
    {"moe", "on"},     {"gate", "2conv-gap"},  {"grid", "3"},   {"experts", "8"}, {"k", "2"},
    {"shared", "off"}, {"balance", "entropy"}, {"layers", "1"}, {"skip", "off"},  {"placement", "decoder-last"}};

std::vector<Row> values(const std::string& option, const Words& list, const std::string& prefix = "") {
  std::vector<Row> rows;
  for (const std::string& v : list) rows.push_back({prefix + v, {{option, v}}});
  return rows;
}

/// Six networks, plain and with a mixture; published for the data set that is named.
Experiment networks_experiment(const StudyOptions& o) {
  struct Known {
    const char* net;
    double plain, mixture;
    bool bdd;
  };
  constexpr Known known[] = {{"enet", 51.80, 55.70, false},         {"erfnet", 60.66, 61.98, false},
                             {"unet", 64.94, 63.88, false},         {"lraspp", 61.53, 64.64, true},
                             {"deeplabv3plus", 78.80, 80.98, true}, {"pspnet", 78.12, 81.01, true}};
  Experiment e{.id = "E1",
               .title = "Networks",
               .varied = "network",
               .about = "Each network, plain and with a mixture.",
               .rows = {}};
  for (const bool bdd : {false, true}) {
    if (bdd && o.scale != "paper") continue;
    if (bdd && o.bdd.empty()) continue;
    for (const Known& k : known) {
      const std::string where = o.scale == "paper" ? bdd ? " (BDD100K)" : " (Cityscapes)" : "";
      for (const bool moe : {false, true}) {
        Row row{network(k.net).title + where + (moe ? " + mixture" : ""),
                {{"net", k.net}, {"moe", moe ? "on" : "off"}}};
        if (bdd) row.options["dataset"] = "bdd100k", row.options["data"] = o.bdd;
        if (o.scale != "paper" || bdd == k.bdd) row.published["mean_iou"] = moe ? k.mixture : k.plain;
        e.rows.push_back(row);
      }
    }
  }
  return e;
}

std::vector<Experiment> experiments(const StudyOptions& o) {
  std::vector<Experiment> all{networks_experiment(o)};
  const auto add = [&](const char* id, const char* title, const char* varied, const char* about, std::vector<Row> rows,
                       int baseline = -1) {
    all.push_back({id, title, varied, about, std::move(rows), baseline});
  };
  const bool enet = o.net == "enet";
  add("E2", "Gates", "gate", "The gate, which scores the experts for a patch.",
      values("gate", {"gap", "conv-gap", "2conv-gap", "3conv-gap", "random", "deterministic"}));
  add("E3", "Granularity", "patches", "Patches along each axis; 1 is a decision per image.",
      values("grid", {"1", "2", "3", "4", "6"}, "grid "));
  add("E4", "Number of experts", "experts", "Experts in all; two serve each patch.",
      values("experts", {"2", "4", "8", "16"}, "N = "));
  add("E5", "Active experts", "active", "Experts that serve a patch, of 8.", values("k", {"1", "2", "4", "8"}, "k = "));
  add("E6", "Balance losses", "loss",
      "Balance losses. NRE is 1 where all experts are used equally, TEC is 1 where one serves every patch.",
      values("balance", {"none", "importance", "switch", "entropy"}));
  if (enet) all.back().rows[1].published = {{"nre", 0.5764}, {"tec", 0.7425}};
  add("E7", "Shared expert", "beside the mixture", "A further expert that sees every patch, or the input itself.",
      {{"nothing", {}}, {"shared expert", {{"shared", "on"}}}});
  add("E8", "Placement", "place", "Which convolutions become mixtures, and how many.",
      {{"plain network", {{"moe", "off"}}},
       {"decoder, last", {}},
       {"decoder, first", {{"placement", "decoder-first"}}},
       {"encoder, last", {{"placement", "encoder-last"}}},
       {"decoder, last 2", {{"layers", "2"}}},
       {"decoder, last 3", {{"layers", "3"}}}},
      0);
  if (enet) {
    auto& rows = all.back().rows;
    rows[0].published["mean_iou"] = 51.80, rows[1].published["mean_iou"] = 55.70, rows[5].published["mean_iou"] = 32.31;
  }
  add("E9", "Cost", "network", "Parameters, multiply-accumulates and time of inference on this machine.",
      {{"plain", {{"moe", "off"}}}, {"mixture", {}}}, 0);
  add("E10", "One expert alone", "expert",
      "Every patch goes to one expert. Heat maps of experts and classes, and pairs of "
      "experts, are in the report.html of every run.",
      {{"as routed", {}}}, 0);
  for (int e = 0; e < 8; ++e) all.back().rows.push_back({formatted("expert {}", e), {{"expert", std::to_string(e)}}});
  return all;
}

report::StudyMetric metric(const char* key, const char* name, int decimals,
                           report::StudyMetric::Best best = report::StudyMetric::Best::none, bool difference = false) {
  return {.key = key, .name = name, .decimals = decimals, .best = best, .difference = difference};
}

std::vector<report::StudyMetric> metrics_of(const Experiment& e) {
  using Best = report::StudyMetric::Best;
  std::vector<report::StudyMetric> m{metric("mean_iou", "mIoU, %", 2, Best::highest, true),
                                     metric("pixel_accuracy", "pixels, %", 2, Best::highest)};
  if (e.id == "E9") {
    m.push_back(metric("parameters", "parameters, M", 4, Best::none, true));
    m.push_back(metric("active_parameters", "active, M", 4));
    m.push_back(metric("macs_per_image", "GMAC", 3));
    m.push_back(metric("milliseconds", "ms per image", 1));
  } else {
    m.push_back(metric("nre", "NRE", 4));
    m.push_back(metric("tec", "TEC, top 1", 4));
    m.push_back(metric("tec_k", "TEC, top k", 4));
  }
  return m;
}

/// A figure of an evaluation in the metric's unit; NaN where it has none. Of several mixtures the mean counts.
double figure(const io::Json& eval, const std::string& key) {
  const double none = std::nan("");
  if (key == "mean_iou" || key == "pixel_accuracy") return 100 * eval[key].number_or(none);
  if (key == "parameters" || key == "active_parameters") return eval[key].number_or(none) / 1e6;
  if (key == "macs_per_image") return eval[key].number_or(none) / 1e9;
  if (key == "milliseconds") return 1e3 * eval["seconds_per_image"].number_or(none);
  double sum = 0;
  const auto mixtures = eval["mixtures"].elements();
  for (const io::Json& m : mixtures) sum += m[key].number_or(none) / static_cast<double>(mixtures.size());
  return mixtures.empty() ? none : sum;
}

/// One configuration with one seed, in a folder that its options name.
runs::Run run_of(const StudyOptions& o, const Protocol& protocol, const Row& row, int seed) {
  auto options = row.options;
  std::string expert;
  if (const auto e = options.find("expert"); e != options.end()) expert = e->second, options.erase(e);
  options.try_emplace("net", o.net);
  std::string name = options["net"];
  Words train;
  for (const auto& [key, value] : options) {
    const auto usual = reference.find(key);
    if (usual != reference.end() && usual->second == value) continue;
    train = train + Words{"--" + key, value};
    if (key != "net" && key != "data") name += "_" + key + "-" + value;
  }
  if (o.scale == "paper" && !options.contains("data"))
    train = train + Words{"--dataset", "cityscapes", "--data", o.data};
  runs::RunPlan plan{.folder = std::filesystem::path(o.out) / "runs" / formatted("{}_seed-{}", name, seed),
                     .train = protocol.train + train + Words{"--seed", std::to_string(seed)},
                     .passed_on = o.passed_on,
                     .eval = protocol.eval + runs::for_eval(o.passed_on, {"--eval-batch"}),
                     .weights = protocol.weights};
  if (!expert.empty()) plan.look = {"--expert", expert}, plan.result = "expert_" + expert + ".json";
  return runs::Run(std::move(plan));
}

/// The table as far as runs are finished.
void write_table(const StudyOptions& o, const Protocol& protocol, const Experiment& e, int seeds) {
  report::StudyTable t{.id = e.id,
                       .title = e.title,
                       .about = "",
                       .varied = e.varied,
                       .source = protocol.source,
                       .metrics = metrics_of(e),
                       .rows = {},
                       .baseline = e.baseline};
  std::vector<Settings> additions;
  for (const Row& row : e.rows) {
    report::StudyRow to{row.name, {}};
    for (const auto& m : t.metrics) {
      to.values.emplace_back();
      if (const auto known = row.published.find(m.key); known != row.published.end())
        to.values.back().paper = known->second;
    }
    for (int s = 0; s < seeds; ++s) {
      const runs::Run run = run_of(o, protocol, row, 42 + s);
      const io::Json eval = run.figures();
      for (std::size_t m = 0; m < t.metrics.size(); ++m)
        to.values[m].runs.push_back(run.done() ? figure(eval, t.metrics[m].key) : std::nan(""));
      if (run.done()) additions.push_back(run.additions());
      const std::string name = formatted("{} with seed {}", row.name, 42 + s);
      if (const long long left_out = eval["left_out"].whole_or(0); left_out > 0)
        t.notes.push_back(formatted("{}: {} images could not be read and are left out.", name, left_out));
      if (const std::string trouble = run.trouble(); !trouble.empty())
        t.notes.push_back(run.other().empty() ? formatted("{} failed with seed {}: {}", row.name, 42 + s, trouble)
                                              : formatted("{} is not known: {}", name, trouble));
    }
    t.rows.push_back(std::move(to));
  }
  t.about = e.about + " " + protocol.about + runs::in_every_run(additions);
  report::write_study(t, o.out);
}

}  // namespace

int study(const StudyOptions& o, const runs::Program& program) {
  const Protocol protocol = protocol_of(o);
  const int seeds = o.seeds > 0 ? o.seeds : protocol.seeds;
  const auto all = experiments(o);
  runs::check_only(o, all, "E1 to E10");
  runs::make_folder(o.out);
  runs::Worker work(program, o.out, o.list);
  // One seed of everything comes before the second of anything.
  for (int s = 0; s < seeds; ++s)
    for (const Experiment& e : all) {
      if (!runs::wanted(o, e.id)) continue;
      for (const Row& row : e.rows)
        if (const int status =
                work(formatted("{} {}, seed {}", e.id, row.name, 42 + s), run_of(o, protocol, row, 42 + s)))
          return status;
      if (!o.list) write_table(o, protocol, e, seeds);
    }
  if (!o.list) fmt::print("tables   {}\n", (std::filesystem::path(o.out) / "E*.md").string());
  work.finish();
  return 0;
}

}  // namespace segmentation
