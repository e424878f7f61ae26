#pragma once
/// \file
/// The report of one training run of a segmentation network: from plain data to one HTML file that needs nothing else.

#include "moecnn/analysis/routing.hpp"
#include "moecnn/report/scene_section.hpp"
#include "moecnn/report/training_report.hpp"

namespace moecnn::report {

/// Whatever is left empty is left out of the page.
struct SegmentationReport {
  TrainingReport run = {};  ///< top1, top5 and test_images are not used
  std::optional<analysis::Confusion> confusion = {};
  std::vector<Rgb> palette = {};  ///< a colour for each of run.class_names
  std::vector<SceneSample> samples = {};
};

/// Statistics of a mixture over a set of test images. Left to the caller: gate, constraint, what was recorded during training,
/// and single experts.
inline MixtureReport mixture_report(const analysis::PatchRouting& seen) {
  const RoutingStats& s = seen.stats();
  MixtureReport m{.name = seen.name(), .experts = s.experts(), .k = s.k()};
  m.routed = seen.grid().count() > 1 ? Routed::patches : Routed::images;
  m.score = "mIoU";
  m.test_load = s.load_share();
  m.test_importance = s.importance_share();
  for (int e = 0; e < m.experts; ++e) m.alive.push_back(s.lives(e));
  m.cv_load = s.load_cv(), m.cv_importance = s.importance_cv();
  m.entropy = seen.nre();
  m.concentration = seen.tec(), m.concentration_k = seen.tec_k();
  m.doubt = seen.doubt();
  m.verdict = seen.verdict();
  if (seen.collapsed()) m.warnings.push_back("routing has collapsed onto few experts");
  m.class_weights = seen.class_shares();
  if (seen.grid().count() > 1) m.place_weights = seen.place_shares(), m.place_columns = seen.grid().columns();
  m.pairs = seen.pairs();
  return m;
}

/// The whole page. Throws when a mixture's vectors do not fit its number of experts.
inline std::string render(const SegmentationReport& report) {
  const TrainingReport& run = report.run;
  for (const MixtureReport& m : run.mixtures) check_sizes(m);
  Page page(run.title.empty() ? "Segmentation report" : run.title, run.description, run.date);
  std::vector<Tile> tiles;
  int experts = 0;
  for (const MixtureReport& m : run.mixtures) experts = std::max(experts, m.experts);
  if (report.confusion) {
    const auto& c = *report.confusion;
    int there = 0;
    for (double v : c.ious()) there += std::isfinite(v);
    tiles = {{"Mean IoU", percent(c.mean_iou(), 2), formatted("over {} of {} classes", there, c.classes())},
             {"Pixel accuracy", percent(c.pixel_accuracy(), 2),
              "of " + number(static_cast<double>(c.pixels())) + " test pixels"},
             {"Class accuracy", percent(c.mean_accuracy(), 2), "mean over the classes"}};
  }
  detail::add_summary(page, run, std::move(tiles));
  add_curves(page, run.curves);
  add_samples(page, report.samples, run.class_names, report.palette, experts);
  if (report.confusion) add_classes(page, *report.confusion, run.class_names, report.palette);
  for (const MixtureReport& m : run.mixtures) detail::add_mixture(page, m, run);
  detail::add_settings(page, run);
  page.footer(run.version.empty() ? "Written by moecnn." : "Written by moecnn " + run.version + ".");
  return page.html();
}

/// Renders and writes the page, whole or not at all; the folder must exist.
inline void write_report(const SegmentationReport& report, const std::filesystem::path& path) {
  io::AtomicFile file(path);
  file.write(render(report));
  file.commit();
}

}  // namespace moecnn::report
