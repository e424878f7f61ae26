// One page with all tables, curves and maps of the study.
#include "../common/environment.hpp"
#include "study.hpp"

#include <moecnn/report/jpeg.hpp>
#include <moecnn/report/line_chart.hpp>
#include <moecnn/report/study_section.hpp>
#include <moecnn/train/records.hpp>

#include <span>

namespace cifar {

namespace {

using report::Figure, report::Page, report::Series;

/// Top-1 in percent after every epoch, of the first seed whose log can be read; finished or not.
std::optional<Series> curve_of(const StudyResults& r, const Cell& cell, int ink) {
  for (int s = 0; s < r.seeds(); ++s) {
    const auto log = r.run(cell, s).folder() / "metrics.jsonl";
    if (!r.run(cell, s).other().empty() || !std::filesystem::exists(log)) continue;
    Series series{.name = cell.plain() ? "plain" : cell.constraint + (cell.gate == "gap" ? "" : ", " + cell.gate),
                  .ink = ink};
    for (const EpochRecord& e : read_metrics(log).epochs)
      if (e.test) series.x.push_back(e.epoch + 1), series.y.push_back(100 * value_of(e.test->scores, "top1"));
    if (!series.x.empty()) return series;
  }
  return {};
}

/// A chart for each position and number of experts: a line for each constraint, and the plain network.
void add_curves(Page& page, const StudyResults& r, const std::vector<Cell>& cells) {
  std::map<std::pair<int, int>, std::vector<Series>> groups;
  int ink = 0;
  for (const Cell& c : cells) {
    if (c.plain()) continue;
    auto& group = groups[{c.experts, c.position}];
    ink = static_cast<int>(group.size());
    if (auto series = curve_of(r, c, ink)) group.push_back(std::move(*series));
  }
  std::vector<Figure> figures;
  for (auto& [key, group] : groups) {
    if (group.empty()) continue;
    if (auto plain = curve_of(r, Cell{}, report::ink_second)) plain->dashed = true, group.push_back(std::move(*plain));
    const std::string title = formatted("{} experts at position {}", key.first, key.second);
    figures.push_back({title, "",
                       report::line_chart(group, {.label = "top-1 over the epochs, " + title,
                                                  .x_title = "epoch",
                                                  .y_title = "top-1, %",
                                                  .unit = " %",
                                                  .decimals = 1,
                                                  .whole_x = true})});
  }
  if (figures.empty()) return;
  page.section("Curves", "Top-1 on the test images after every epoch, of the first seed.");
  page.figures(figures);
}

void add_favourites(Page& page, const StudyResults& r, const StudyExperiment& e) {
  for (const Cell& c : e.cells) {
    page.heading(c.text());
    std::vector<std::vector<report::Cell>> rows;
    int expert = 0;
    for (const auto& [ours, theirs] : favourite_rows(r, c))
      rows.push_back({{formatted("{}", expert++)}, {ours}, {theirs}});
    page.table({{"expert", false}, {"five favourite classes (mean weight)", false, true}, {"published", false, true}},
               rows, report::Narrow::stack);
  }
}

void add_k_chart(Page& page, const report::StudyTable& t) {
  std::vector<Series> lines;
  for (std::size_t m = 0; m < t.metrics.size(); ++m) {
    Series s{.name = t.metrics[m].name, .ink = static_cast<int>(m)};
    for (std::size_t k = 0; k < t.rows.size(); ++k) {
      const double top1 = report::spread_of(t.rows[k].values[m].runs).mean;
      if (std::isfinite(top1)) s.x.push_back(static_cast<double>(k + 1)), s.y.push_back(top1);
    }
    if (!s.x.empty()) lines.push_back(std::move(s));
  }
  if (!lines.empty())
    page.figure({"Accuracy against k", "",
                 report::line_chart(lines, {.label = "top-1 against the experts per image",
                                            .x_title = "experts per image in the test",
                                            .y_title = "top-1, %",
                                            .unit = " %",
                                            .decimals = 2,
                                            .whole_x = true,
                                            .width = 960})});
}

void add_maps(Page& page, const StudyResults& r, const StudyExperiment& e) {
  for (const Cell& c : e.cells) {
    int seed = 0;
    while (seed < r.seeds() && !r.run(c, seed).done()) ++seed;
    if (seed == r.seeds()) continue;
    const std::string name = r.first(c)["mixtures"][std::size_t{0}]["mixture"].text_or("");
    const auto folder = r.run(c, seed).folder() / "experts";
    std::vector<Figure> figures;
    const auto add = [&](const std::string& part, const std::string& title, const std::string& caption) {
      const auto file = folder / (name + "-" + part + ".jpg");
      if (!std::filesystem::exists(file)) return;
      const std::string bytes = runs::read_text(file);
      figures.push_back({title, caption + " A click enlarges it.",
                         report::zoomable(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()),
                                          c.text() + ": " + title)});
    };
    add("logits", "Logits of the gate", "Test images by t-SNE of the logits, perplexity 15.");
    add("weights", "Sparse weights", "Test images by t-SNE of the weights, perplexity 30.");
    for (int x = 0; x < c.experts; ++x)
      add(formatted("expert-{}", x), formatted("Expert {}", x), "The same map with the images that it serves.");
    if (figures.empty()) continue;
    page.heading(c.text());
    page.figures(figures);
  }
}

}  // namespace

void write_study_page(const StudyResults& r, const std::vector<StudyExperiment>& experiments,
                      const std::filesystem::path& out) {
  const std::vector<runs::Finding> found = findings(r);
  runs::write_findings(found, r.protocol().about, out);
  Page page("Mixtures of experts on CIFAR-100",
            "ResNet-18 in which a mixture of block experts takes the place of a stage: the tables and figures of "
            "“Sparsely-gated Mixture-of-Expert Layers for CNN Interpretability”, measured again.",
            environment::date());
  if (r.protocol().published)
    page.note(r.protocol().about);
  else
    page.warning(r.protocol().about);
  runs::add_findings(page, found);
  std::vector<Cell> cells;
  for (const StudyExperiment& e : experiments)
    for (const Cell& c : e.cells)
      if (std::find(cells.begin(), cells.end(), c) == cells.end()) cells.push_back(c);
  for (const StudyExperiment& e : experiments) {
    const report::StudyTable t = study_table(r, e);
    report::add_study(page, t);
    if (e.id == "T1") page.paragraph(report::far_mark_text);
    if (e.id == "T3") add_favourites(page, r, e);
    if (e.id == "K") add_k_chart(page, t);
    if (e.id == "F") add_maps(page, r, e);
  }
  add_curves(page, r, cells);
  page.footer(formatted("Written by moecnn {}.", environment::version()));
  page.write(out / "study.html");
}

}  // namespace cifar
