#include "moecnn/report/segmentation_report.hpp"

#include "moe/routing_fixture.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;
using namespace well_formed;

namespace {

const std::vector<Rgb> palette{{128, 64, 128}, {70, 70, 70}, {0, 0, 142}};

analysis::PatchRouting routing(int experts = 4) {
  analysis::PatchRouting seen("decoder", PatchGrid::of_count({4, 4}, 2), 3);
  Matrix w(8, experts);
  w.fill(0);
  for (int i = 0; i < 8; ++i) w(i, i % experts) += 0.7, w(i, (i + 1) % experts) += 0.3;
  Routing r = routing_test::routing_of(w);
  r.k = 2;
  const std::vector<int> labels{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 255, 0, 0,  //
                                0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0,   0, 0};
  seen.add(r, labels.data(), 4);
  return seen;
}

SegmentationReport full(int experts = 4) {
  SegmentationReport r{.palette = palette};
  r.run.title = "ENet on streets";
  r.run.class_names = {"road", "building", "car"};
  r.run.settings = {{"grid", "2×2"}};
  r.run.curves.per_pixel = true;
  for (int e = 0; e < 5; ++e) {
    r.run.curves.loss.add(e, 2 - e * 0.1);
    r.run.curves.mean_iou.add(e, e * 0.1);
    r.run.curves.test_accuracy.add(e, e * 0.2);
    r.run.curves.balance_loss.add(e, -e * 0.1);
  }
  analysis::Confusion seen(3);
  const std::vector<int> truth{0, 0, 0, 0, 1, 1, 255}, guess{0, 0, 0, 1, 1, 0, 0};
  seen.add(truth.data(), guess.data(), truth.size());
  r.confusion = seen;
  const data::LabelMap map{2, 2, {0, 1, 1, 0}};
  r.samples = {scene_sample("<first>", {2, 2, std::vector<std::uint8_t>(12, 9)}, map, map, palette)};
  Matrix weights(1, experts);
  weights.fill(1.0 / experts);
  add_expert_map(r.samples[0], "experts of decoder", PatchGrid::of_count(2, 1), weights);
  MixtureReport m = mixture_report(routing(experts));
  m.expert_accuracy.assign(static_cast<std::size_t>(experts), 0.3);
  m.expert_class_scores.resize(3, experts);
  m.expert_class_scores.fill(0.25);
  m.x = {0, 1};
  m.load.assign(2, std::vector<double>(static_cast<std::size_t>(experts), 1));
  r.run.mixtures = {m};
  return r;
}

std::string checked(const SegmentationReport& report) {
  const std::string html = render(report);
  CHECK(markup_fault(html) == "");
  CHECK_FALSE(has_nan(html));
  return html;
}

}  // namespace

TEST_CASE("what a set of images says about a mixture") {
  const MixtureReport m = mixture_report(routing());
  CHECK(m.name == "decoder");
  CHECK(m.experts == 4);
  CHECK(m.k == 2);
  CHECK(m.routed == report::Routed::patches);
  CHECK(m.entropy == doctest::Approx(1));
  CHECK(m.concentration == doctest::Approx(0.25));
  CHECK(m.concentration_k == doctest::Approx(0.5));
  CHECK(m.verdict.starts_with("Routing has not collapsed"));
  CHECK(m.warnings.empty());
  CHECK(m.class_weights.rows() == 3);
  CHECK(m.place_weights.rows() == 4);
  CHECK(m.place_columns == 2);
  CHECK(m.pairs(0, 1) == 2);
  CHECK(mixture_report(routing(2)).warnings.empty());
  CHECK(mixture_report(routing(1)).verdict == "There is one expert, so there is nothing to route.");
}

TEST_CASE("a full report is well formed and stands alone") {
  const std::string html = checked(full());
  for (const char* network : {"http://", "https://", "<script", "<link", "src=\"/", "@import", "url("})
    CHECK_FALSE(has(html, network));
  for (const char* part : {"Mean IoU",
                           "over 2 of 3 classes",
                           "Pixel accuracy",
                           "4 of 4",
                           "in decoder, 2 active per patch",
                           "Balance loss",
                           "What is taken for what",
                           "most often taken for",
                           "building (25.0\u202F%)",
                           "Who sees which class",
                           "Places and experts",
                           "One expert alone, class by class",
                           "mIoU alone",
                           "&lt;first&gt;",
                           "ground truth",
                           "experts of decoder",
                           "Routing has not collapsed: all 4 experts live",
                           "share of patches",
                           "#804080",
                           "1.000",
                           "6 pixels of the test set count, 1 have no class"})
    CHECK_MESSAGE(has(html, part), part);
  CHECK(count(html, "data:image/png;base64,") == 4);
  CHECK_FALSE(has(html, "top-1"));
  CHECK_FALSE(has(html, "per image"));
}

TEST_CASE("every missing piece is left out and the rest stays") {
  CHECK_FALSE(has(checked({}), "<section"));
  const std::vector<std::function<void(SegmentationReport&)>> removals{
      [](auto& r) { r.confusion.reset(); },
      [](auto& r) { r.confusion = analysis::Confusion(3); },
      [](auto& r) { r.samples.clear(); },
      [](auto& r) { r.palette.clear(); },
      [](auto& r) { r.run.class_names.clear(); },
      [](auto& r) { r.run.mixtures.clear(); },
      [](auto& r) { r.run.curves = {}; },
      [](auto& r) { r.run.mixtures[0].place_weights = {}; },
      [](auto& r) { r.run.mixtures[0].class_weights = {}; },
      [](auto& r) { r.run.mixtures[0].expert_class_scores = {}; },
      [](auto& r) { r.run.mixtures[0].verdict.clear(); },
  };
  const std::size_t whole = checked(full()).size();
  for (const auto& remove : removals) {
    SegmentationReport r = full();
    remove(r);
    CHECK(checked(r).size() < whole + 200);
  }
  checked(full(1));
  checked(full(16));
}

TEST_CASE("a collapse is among the warnings at the top") {
  analysis::PatchRouting seen("decoder", {}, 0);
  Matrix w(3, 4);
  w.fill(0);
  for (int i = 0; i < 3; ++i) w(i, 2) = 1;
  seen.add(routing_test::routing_of(w));
  SegmentationReport r = full();
  r.run.mixtures = {mixture_report(seen)};
  CHECK(r.run.mixtures[0].routed == report::Routed::images);
  const auto html = checked(r);
  CHECK(has(html, "<p>decoder: routing has collapsed onto few experts</p>"));
  CHECK(html.find("collapsed onto few") < html.find("<section"));
  CHECK(has(html, "Routing has collapsed: 1 of 4 experts holds over 95 % of the weight"));
}

TEST_CASE("the page is written whole") {
  const auto path = std::filesystem::temp_directory_path() / "moecnn_segmentation_report_test.html";
  write_report(full(), path);
  CHECK(std::filesystem::file_size(path) == render(full()).size());
  std::filesystem::remove(path);
}
