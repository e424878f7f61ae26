// From a finished training run to the page that shows it.
#include "report.hpp"

#include "../common/environment.hpp"
#include "../common/time_text.hpp"
#include "expert_boxes.hpp"

#include <moecnn/report/box_picture.hpp>
#include <moecnn/report/line_chart.hpp>
#include <moecnn/report/mixture_section.hpp>

namespace detection_program {

namespace {

std::string share(double v) { return v < 0 || std::isnan(v) ? "–" : report::percent(v, 2); }

void add_curves(report::Page& page, const TrainResult& run) {
  const auto line = [](std::string name, int ink) { return report::Series{.name = std::move(name), .ink = ink}; };
  report::Series loss = line("training", report::ink_second), test = line("test", report::ink_main),
                 balance = line("", report::ink_main);
  std::vector<report::Series> precision{line("AP", report::ink_main), line("AP50", report::ink_second)};
  for (const EpochRecord& e : run.epochs) {
    const double x = e.epoch + 1;
    loss.x.push_back(x), loss.y.push_back(e.loss);
    balance.x.push_back(x), balance.y.push_back(e.balance_loss);
    if (!e.test) continue;
    test.x.push_back(x), test.y.push_back(e.test->loss);
    for (report::Series& s : precision) s.x.push_back(x), s.y.push_back(100 * value_of(e.test->scores, s.name));
  }
  if (loss.x.empty()) return;
  page.section("Training");
  std::vector<report::Figure> figures;
  const auto draw = [&](const char* title, const char* caption, const std::vector<report::Series>& series,
                        const char* unit) {
    figures.push_back(
        {title, caption,
         report::line_chart(series, {.label = title, .x_title = "epoch", .unit = unit, .whole_x = true})});
  };
  draw("Loss", "Focal loss of the classes and loss of the boxes, summed.", {loss, test}, "");
  draw("Average precision", "On the test pictures, in percent.", precision, " %");
  if (std::any_of(balance.y.begin(), balance.y.end(), [](double v) { return v != 0; }))
    draw("Balance loss", "Of both heads, with its weight; 0 is even use.", {balance}, "");
  page.figures(figures);
}

void add_classes(report::Page& page, const analysis::BoxEvaluation& e, const data::DetectionSet& set) {
  page.section("Classes", "Average precision by the size of the objects: small up to 32², medium up to 96² pixels.");
  std::vector<std::vector<report::Cell>> rows;
  for (int c = 0; c < set.classes(); ++c) {
    const double ap = e.metric.ap({.category = c});
    std::vector<report::Cell> row{{set.class_names[static_cast<std::size_t>(c)]},
                                  {report::grouped(e.metric.truths(c, detection::any_area))},
                                  {.text = share(ap), .bar = std::max(0.0, ap), .ink = c}};
    for (const int area : {detection::small_area, detection::medium_area, detection::large_area})
      row.push_back({share(e.metric.ap({.category = c, .area = area}))});
    rows.push_back(std::move(row));
  }
  page.table({{"class", false}, {"boxes"}, {"AP"}, {"small"}, {"medium"}, {"large"}}, rows);
}

/// A few pictures with the boxes found, those that someone has drawn, and the experts behind the former.
void add_pictures(report::Page& page, const analysis::BoxEvaluation& e, const data::DetectionSet& set,
                  const Options& o) {
  constexpr float least = 0.3f;
  std::string intro =
      formatted("Boxes found with a score of at least {:.0f} %, and those of the annotations.", 100 * least);
  const BoxNames names = BoxNames::of(o, set.class_names, e.mixtures);
  if (!e.mixtures.empty())
    intro +=
        " Where boxes are coloured by expert, it is the one with the largest weight on the level that a box comes "
        "from.";
  page.section("Pictures", intro);
  std::vector<report::Figure> figures;
  for (analysis::ServedPicture seen : e.kept) {
    const auto image = data::load_picture(set, seen.picture);
    const std::string& file = set.pictures[static_cast<std::size_t>(seen.picture)].file;
    std::erase_if(seen.boxes, [](const detection::Detection& d) { return d.score < least; });
    std::vector<detection::Detection> drawn;
    for (const data::Object& object : set.objects_of(seen.picture))
      drawn.push_back({.box = object.box, .label = object.label});
    figures.push_back({file, "found", report::box_picture(*image, seen.boxes, set.class_names)});
    figures.push_back({file, "annotated", report::box_picture(*image, drawn, set.class_names)});
    for (report::Figure& f : by_expert(*image, seen, names)) figures.push_back(std::move(f));
    if (figures.size() % 2 != 0) figures.back().wide = true;
  }
  page.figures(figures);
}

}  // namespace

void add_experts(report::Page& page, const std::vector<MixtureInfo>& mixtures,
                 const std::function<std::vector<double>(std::size_t m)>& weights) {
  if (mixtures.empty()) return;
  std::vector<report::Column> head{{"head and level", false}};
  for (int e = 0; e < mixtures[0].experts; ++e) head.push_back({formatted("expert {}", e), false});
  std::vector<std::vector<report::Cell>> rows;
  for (std::size_t m = 0; m < mixtures.size(); ++m) {
    std::vector<report::Cell> row{{place_of(mixtures[m].name).text()}};
    const std::vector<double> w = weights(m);
    for (std::size_t e = 0; e < w.size(); ++e)
      row.push_back({.text = w[e] > 0 ? formatted("{:.3f}", w[e]) : "–", .bar = w[e], .ink = static_cast<int>(e)});
    rows.push_back(std::move(row));
  }
  page.table(head, rows);
}

void write_report(AnyModel& model, const TrainResult& run, const Options& o, const Settings& settings,
                  const analysis::BoxEvaluation& test, const data::DetectionSet& set,
                  const std::filesystem::path& path) {
  report::Page page(o.net_text(), formatted("Trained on {}.", o.dataset == "synthetic" ? "generated scenes" : set.name),
                    environment::date());
  const auto stats = test.metric.stats();
  const Graph g = model.recorded(1);
  page.tiles(
      {{"AP", share(stats[0]), formatted("of {} test pictures", test.pictures)},
       {"AP50", share(stats[1]), "overlap of at least a half"},
       {"APs, APm, APl", share(stats[3]) + ", " + share(stats[4]) + ", " + share(stats[5]), "by size of the objects"},
       {"Parameters", report::number(static_cast<double>(parameter_count(g))),
        report::number(static_cast<double>(active_parameter_count(g))) + " active"},
       {"Training", time_text(run.seconds), report::grouped(run.step) + " steps"}});
  page.warnings(run.warnings);
  add_curves(page, run);
  add_classes(page, test, set);
  if (!test.mixtures.empty()) {
    page.section("Experts",
                 "Mean weight of each expert over the test pictures, on each level of the pyramid: P3 has the smallest "
                 "objects, P7 the largest. Experts that differ between levels have split the work by size.");
    add_experts(page, test.mixtures, [&](std::size_t m) { return test.routing[m].importance_share(); });
  }
  add_pictures(page, test, set, o);
  std::vector<report::KeyValue> pairs;
  for (const auto& [name, value] : settings) pairs.push_back({name, value});
  page.section("Settings");
  page.key_values("The run", pairs, "The machine",
                  {{"processor", environment::processor()},
                   {"threads", environment::threads()},
                   {"backend", o.backend_text()},
                   {"compiler", environment::compiler()}});
  page.footer(formatted("Written by moecnn {}.", environment::version()));
  page.write(path);
}

}  // namespace detection_program
