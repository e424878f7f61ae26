// One page with all tables, curves and pictures of the study.
#include "../common/environment.hpp"
#include "expert_boxes.hpp"
#include "study.hpp"

#include <moecnn/report/line_chart.hpp>
#include <moecnn/report/study_section.hpp>
#include <moecnn/train/records.hpp>

namespace detection_program {

namespace {

using report::Figure, report::Page, report::Series;

/// AP in percent after every epoch that was tested, of the first seed; finished or not.
std::optional<Series> curve_of(const Results& r, std::size_t c, int ink) {
  const runs::Run run = r.run(c, 0);
  const auto log = run.folder() / "metrics.jsonl";
  if (!run.other().empty() || !std::filesystem::exists(log)) return {};
  Series series{.name = cells[c].plain() ? "plain" : cells[c].moe + ", " + cells[c].constraint,
                .ink = ink,
                .dashed = cells[c].plain()};
  for (const EpochRecord& e : read_metrics(log).epochs)
    if (e.test) series.x.push_back(e.epoch + 1), series.y.push_back(100 * value_of(e.test->scores, "AP"));
  if (series.x.empty()) return {};
  return series;
}

void add_curves(Page& page, const Results& r) {
  std::vector<Figure> figures;
  for (const bool upcycled : {false, true}) {
    std::vector<Series> lines;
    for (std::size_t c = 0; c < cells.size(); ++c)
      if (!cells[c].plain() && cells[c].upcycled == upcycled)
        if (auto line = curve_of(r, c, static_cast<int>(lines.size()))) lines.push_back(std::move(*line));
    if (auto line = curve_of(r, plain, report::ink_second)) lines.push_back(std::move(*line));
    if (lines.empty()) continue;
    const std::string title = upcycled ? "Mixtures that began as the plain heads" : "Mixtures from random weights";
    figures.push_back({title, "",
                       report::line_chart(lines, {.label = "AP over the epochs, " + title,
                                                  .x_title = "epoch",
                                                  .y_title = "AP, %",
                                                  .unit = " %",
                                                  .decimals = 1,
                                                  .whole_x = true})});
  }
  if (figures.empty()) return;
  page.section(
      "Curves",
      "AP on the pictures that are tested during training, of the first seed. The plain heads are trained with "
      "backbone and pyramid; mixtures have these two from them and train for fewer epochs.");
  page.figures(figures);
}

/// Gives the published numbers columns of their own behind ours: the experts of one network are not those of the other, and
/// nothing is to be compared pair by pair.
void published_apart(report::StudyTable& t) {
  const std::size_t ours = t.metrics.size();
  for (std::size_t m = 0; m < ours; ++m)
    t.metrics.push_back({.key = t.metrics[m].key + "_published", .name = formatted("paper {}, %", m)});
  for (report::StudyRow& row : t.rows)
    for (std::size_t m = 0; m < ours; ++m) {
      row.values.push_back({.runs = {row.values[m].paper.value_or(std::nan(""))}});
      row.values[m].paper.reset();
    }
}

/// The pictures that `predict` has drawn for the first seed that is finished; none where there are none.
std::vector<io::Json> drawn_pictures(const Results& r, std::size_t c) {
  for (int s = 0; s < r.seeds(); ++s)
    if (r.run(c, s).done() && std::filesystem::exists(r.drawn(c, s)))
      return runs::read_json(r.drawn(c, s))["pictures"].elements();
  return {};
}

/// Figures 5 to 7: `parts` names those of a picture that are shown.
void add_pictures(Page& page, const Results& r, const std::string& title, const std::string& about,
                  const std::vector<std::size_t>& of, const std::vector<std::string>& parts) {
  bool begun = false;
  for (const std::size_t c : of) {
    const auto pictures = drawn_pictures(r, c);
    if (pictures.empty()) continue;
    if (!begun) page.section(title, about);
    begun = true;
    for (const io::Json& picture : pictures)
      for (const std::string& part : parts) {
        const auto figures = figures_from(picture[part]);
        if (figures.empty()) continue;
        page.heading(formatted("{}: {}{}", cells[c].title(), picture["file"].text_or(""),
                               part == "by_expert" ? "" : ", experts of the " + part));
        page.figures(figures, part == "by_expert" ? 2 : 3);
      }
  }
}

}  // namespace

void write_study_page(const Results& r, const std::filesystem::path& out) {
  const auto all = experiments();
  const std::vector<runs::Finding> found = findings(r);
  runs::write_findings(found, r.protocol().about, out);
  Page page("Mixtures of experts in the heads of RetinaNet",
            "The tables and figures on object detection of “Sparsely-gated Mixture-of-Expert Layers for CNN "
            "Interpretability”, measured again.",
            environment::date());
  const std::string about = r.protocol().about + r.additions(all[0].cells);
  if (r.protocol().published)
    page.note(about);
  else
    page.warning(about);
  runs::add_findings(page, found);
  for (const Experiment& e : all) {
    for (ShortTable& t : study_tables(r, e)) {
      t.table.id = e.id, t.table.title = t.title;
      if (e.id == "T5") t.table.about += formatted(" {}", report::far_mark_text);
      if (e.id.starts_with("T") && e.id != "T5") published_apart(t.table);
      report::add_study(page, t.table);
    }
    if (e.id == "T5") add_curves(page, r);
  }
  const std::string least = "Boxes with a score of at least 50 % in the first test pictures. ";
  add_pictures(page, r, "Boxes by expert (Figure 6)",
               least +
                   "Colours show the expert with the largest weight on the level that a box comes from: P3 has the "
                   "smallest objects, P7 the largest.",
               {upcycled_kl}, {"by_expert"});
  add_pictures(page, r, "Boxes of single experts (Figures 5 and 7)",
               least +
                   "The mixture beside each expert alone in one head, while the other head is as it was trained. "
                   "Under its title stand the levels on which an expert is active in the mixture, with its weights "
                   "there. Colours are classes, numbers scores in percent.",
               {kl, importance, relative}, {regressor, classifier});
  page.footer(formatted("Written by moecnn {}.", environment::version()));
  page.write(out / "study.html");
}

}  // namespace detection_program
