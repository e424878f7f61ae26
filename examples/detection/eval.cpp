#include "../common/class_names.hpp"
#include "../common/paths.hpp"
#include "commands.hpp"
#include "trained.hpp"

#include <moecnn/analysis/detect.hpp>

namespace detection_program {

namespace {

std::string percent(double v) { return v < 0 ? "    –" : formatted("{:5.2f}", 100 * v); }

void print(const analysis::BoxEvaluation& e, const data::DetectionSet& set) {
  fmt::print("{} pictures, {} boxes found; losses: class {:.4f}, box {:.4f}\n", e.pictures, e.detections.size(),
             e.class_loss, e.box_loss);
  if (e.left_out > 0) fmt::print("{} pictures could not be read and count nowhere\n", e.left_out);
  const auto stats = e.metric.stats();
  for (std::size_t i = 0; i < stats.size(); ++i)
    fmt::print("{:<8} {} %\n", detection::coco_stat_names[i], percent(stats[i]));
  fmt::print("\n{:<16}{:>8}{:>9}{:>9}{:>9}{:>9}\n", "class", "boxes", "AP", "small", "medium", "large");
  for (int c = 0; c < set.classes(); ++c) {
    fmt::print("{:<16}{:>8}", set.class_names[static_cast<std::size_t>(c)], e.metric.truths(c, detection::any_area));
    for (int area = 0; area < 4; ++area) fmt::print("  {} %", percent(e.metric.ap({.category = c, .area = area})));
    fmt::print("\n");
  }
  if (e.mixtures.empty()) return;
  fmt::print("\nmean weight of each expert\n");
  for (std::size_t m = 0; m < e.mixtures.size(); ++m) {
    fmt::print("{:<16}", place_of(e.mixtures[m].name).text());
    for (const double share : e.routing[m].importance_share()) fmt::print(" {:6.2f} %", 100 * share);
    fmt::print("\n");
  }
}

/// COCO's numbers with another choice of experts.
struct Choice {
  /// In which one expert serves all images and levels, while the other head is as it was; empty: k experts in both.
  std::string head = {};
  int expert = -1, k = 0;
  std::array<double, 12> stats = {};
  double class_loss = 0, box_loss = 0;

  std::string text() const { return head.empty() ? formatted("k = {}", k) : formatted("{}, expert {}", head, expert); }
};

/// Every expert alone in each of the heads, and every k.
std::vector<Choice> each_choice(AnyModel& model, data::DetectionLoader& loader, const data::DetectionSet& set,
                                const Options& o) {
  std::vector<Choice> all;
  for (const char* head : {regressor, classifier})
    for (int expert = 0; expert < o.experts; ++expert) all.push_back({.head = head, .expert = expert});
  for (int k = 1; k <= o.experts; ++k) all.push_back({.k = k});
  fmt::print("\n{:<21}{:>7}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "only", "AP", "AP50", "AP75", "small", "medium", "large");
  for (Choice& c : all) {
    const std::string pattern = c.head.empty() ? "" : Options::head_pattern(c.head);
    const auto e =
        analysis::evaluate_boxes(model, loader, set, {.k = c.k, .fixed_expert = c.expert, .fixed_in = pattern});
    c.stats = e.metric.stats(), c.class_loss = e.class_loss, c.box_loss = e.box_loss;
    fmt::print("{:<21}", c.text());
    for (int i = 0; i < 6; ++i) fmt::print("  {} %", percent(c.stats[static_cast<std::size_t>(i)]));
    fmt::print("\n");
    std::fflush(stdout);
  }
  return all;
}

/// As JSON has it: null where the metric has no value.
double known(double v) { return v < 0 ? std::nan("") : v; }

io::Json coco_json(const std::array<double, 12>& values) {
  io::Json stats = io::Json::object();
  for (std::size_t i = 0; i < values.size(); ++i) stats.set(detection::coco_stat_names[i], known(values[i]));
  return stats;
}

io::Json json_of(const analysis::BoxEvaluation& e, const std::vector<Choice>& choices, const data::DetectionSet& set,
                 const Options& o, const Graph& g) {
  io::Json classes = io::Json::array(), mixtures = io::Json::array(), other = io::Json::array();
  for (const Choice& c : choices) {
    io::Json one =
        c.head.empty() ? io::Json::object({{"k", c.k}}) : io::Json::object({{"head", c.head}, {"expert", c.expert}});
    one.set("coco", coco_json(c.stats));
    one.set("class_loss", c.class_loss);
    one.set("box_loss", c.box_loss);
    other.add(one);
  }
  for (int c = 0; c < set.classes(); ++c)
    classes.add(io::Json::object({{"class", set.class_names[static_cast<std::size_t>(c)]},
                                  {"boxes", e.metric.truths(c, detection::any_area)},
                                  {"AP", known(e.metric.ap({.category = c}))},
                                  {"APs", known(e.metric.ap({.category = c, .area = detection::small_area}))},
                                  {"APm", known(e.metric.ap({.category = c, .area = detection::medium_area}))},
                                  {"APl", known(e.metric.ap({.category = c, .area = detection::large_area}))}}));
  for (std::size_t m = 0; m < e.mixtures.size(); ++m)
    mixtures.add(io::Json::object({{"mixture", e.mixtures[m].name},
                                   {"k", e.mixtures[m].k},
                                   {"mean_weights", e.routing[m].importance_share()},
                                   {"load", e.routing[m].load_share()},
                                   {"living", e.routing[m].living()}}));
  return io::Json::object({{"network", o.net_text()},
                           {"data", set.name},
                           {"pictures", e.pictures},
                           {"left_out", e.left_out},
                           {"parameters", parameter_count(g)},
                           {"class_loss", e.class_loss},
                           {"box_loss", e.box_loss},
                           {"coco", coco_json(e.metric.stats())},
                           {"classes", classes},
                           {"mixtures", mixtures},
                           {"choices", other}});
}

}  // namespace

int evaluate(Options& o) {
  for (const std::string& file : {o.results, o.report_json}) check_output(file);
  const Trained t = trained(o);
  const data::DetectionSet set = load(o, o.split);
  check(set.class_names == t.names, "'{}' has other classes than the weights in {}; give the data of the training",
        set.name, o.weights);
  data::DetectionLoader loader(set, loader_opts(o, false));
  const Size2 first = loader.shapes().shapes.front();
  AnyModel model(make_backend(o.backend), {o.batch, first.h, first.w},
                 {.seed = o.seed, .task = task::Detect(), .training = false, .precision = o.precision_used()}, o.net());
  load_weights(model.params(), o.weights);
  fmt::print("{} on {}\n", o.net_text(), set.name);
  const auto e = analysis::evaluate_boxes(model, loader, set,
                                          {.k = o.eval_k.value_or(0),
                                           .fixed_expert = o.fixed_expert.value_or(-1),
                                           .fixed_in = o.fixed_pattern(),
                                           .equal_weights = o.equal_weights});
  for (const std::string& warning : loader.warnings()) fmt::print("left out: {}\n", warning);
  print(e, set);
  std::vector<Choice> choices;
  if (o.each_expert && o.has_mixture()) choices = each_choice(model, loader, set, o);
  if (!o.results.empty()) {
    analysis::write_coco_results(e.detections, o.results);
    fmt::print("results  {}\n", o.results);
  }
  if (!o.report_json.empty()) {
    runs::write_text(o.report_json, json_of(e, choices, set, o, model.recorded(1)).dump(1) + "\n");
    fmt::print("figures  {}\n", o.report_json);
  }
  return 0;
}

}  // namespace detection_program
