#include "moecnn/report/training_report.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;
using namespace well_formed;

namespace {

Image thumbnail(int seed) {
  Image image{32, 32, 3, {}};
  for (int i = 0; i < 32 * 32 * 3; ++i) image.pixels.push_back(static_cast<std::uint8_t>(i * seed / 7));
  return image;
}

MixtureReport mixture(int experts, int classes) {
  MixtureReport m{.name = "layer4", .experts = experts, .k = 2, .gate = "GAP-FC", .balance = "importance, weight 0.5"};
  const auto n = static_cast<std::size_t>(experts);
  for (int i = 0; i < 20; ++i) {
    m.x.push_back(i * 0.1);
    m.load.emplace_back(n, 1.0);
    m.importance.emplace_back(n, 1.0);
  }
  m.test_load.assign(n, 100.0);
  m.test_importance.assign(n, 50.0);
  m.cv_load = 0.1, m.cv_importance = 0.05, m.entropy = 0.99;
  m.class_weights.resize(classes, experts);
  m.class_weights.fill(1.0 / experts);
  m.family_weights.resize(2, experts);
  m.family_weights.fill(1.0 / experts);
  m.pairs.resize(experts, experts);
  m.pairs.fill(3);
  m.accuracy_at_k = {{1, 0.5, 0.8}, {2, 0.6, 0.9}};
  m.expert_accuracy.assign(n, 0.2);
  m.top_classes.resize(n);
  for (auto& list : m.top_classes)
    list.push_back({"apple", 0.7, {thumbnail(1), thumbnail(2), thumbnail(3), thumbnail(5)}});
  return m;
}

TrainingReport full(int experts = 4, int classes = 6) {
  TrainingReport r{.title = "ResNet-18 on CIFAR-100", .description = "A net.", .date = "today"};
  r.settings = {{"batch", "128"}};
  r.environment = {{"threads", "2"}};
  r.command =
      "cifar100 train --data synthetic --position 4 --experts 4 --k 2 --gate gap --constraint importance --out o";
  for (int i = 0; i < 300; ++i) r.curves.loss.add(i * 0.01, 4 - i * 0.01);
  for (int e = 1; e <= 3; ++e) r.curves.test_accuracy.add(e, e * 0.1);
  r.top1 = 0.5734, r.top5 = 0.842, r.test_images = 10000;
  for (int i = 0; i < classes; ++i) r.class_names.push_back("class_" + std::to_string(i));
  r.family_names = {"fruit", "trees"};
  r.mixtures = {mixture(experts, classes)};
  return r;
}

std::string checked(const TrainingReport& report) {
  const std::string html = render(report);
  CHECK(markup_fault(html) == "");
  CHECK_FALSE(has_nan(html));
  return html;
}

}  // namespace

TEST_CASE("a full report is well formed and stands alone") {
  const std::string html = checked(full());
  for (const char* network : {"http://", "https://", "<script", "<link", "src=\"/", "@import", "url("})
    CHECK_FALSE(has(html, network));
  for (const char* part : {"57.34\u202F%", "of 10,000 test images", "4 of 4", "Importance during training",
                           "Use on the test set", "One expert alone", "Accuracy against k", "What each expert likes",
                           "Which experts work together", "Families and experts", "All classes", "How to repeat this"})
    CHECK_MESSAGE(has(html, part), part);
  CHECK(count(html, "data:image/png;base64,") == 4);
  CHECK(count(html, "alt=\"") == 4);
  CHECK(html.size() < 400000);
}

TEST_CASE("every missing piece is left out and the rest stays") {
  CHECK_FALSE(has(checked({}), "<section"));
  const std::vector<std::function<void(TrainingReport&)>> removals{
      [](auto& r) { r.mixtures.clear(); },
      [](auto& r) { r.curves = {}; },
      [](auto& r) { r.settings.clear(), r.environment.clear(), r.command.clear(); },
      [](auto& r) { r.class_names.clear(), r.family_names.clear(); },
      [](auto& r) { r.top1.reset(), r.top5.reset(), r.test_images.reset(); },
      [](auto& r) { r.mixtures[0].x.clear(), r.mixtures[0].load.clear(), r.mixtures[0].importance.clear(); },
      [](auto& r) { r.mixtures[0].test_load.clear(), r.mixtures[0].test_importance.clear(); },
      [](auto& r) { r.mixtures[0].test_importance.clear(), r.mixtures[0].importance.clear(); },
      [](auto& r) { r.mixtures[0].top_classes.clear(); },
      [](auto& r) { r.mixtures[0].top_classes[1].clear(), r.mixtures[0].top_classes[0][0].samples.clear(); },
      [](auto& r) { r.mixtures[0].class_weights = {}, r.mixtures[0].family_weights = {}; },
      [](auto& r) { r.mixtures[0].pairs = {}; },
      [](auto& r) {
        r.mixtures[0].accuracy_at_k = {{2, 0.5}};
      },
      [](auto& r) { r.mixtures[0].expert_accuracy.clear(); },
      [](auto& r) { r.mixtures[0] = {.name = "layer1", .experts = 4, .k = 2}; },
  };
  const std::size_t whole = checked(full()).size();
  for (const auto& remove : removals) {
    TrainingReport r = full();
    remove(r);
    CHECK(checked(r).size() < whole + 200);
  }
}

TEST_CASE("one expert, many experts, one epoch") {
  checked(full(1));
  for (const int experts : {16, 64}) {
    const auto html = checked(full(experts, 100));
    CHECK(has(html, formatted("expert {}<", experts - 1)));
    CHECK(html.size() < 2'000'000);
  }
  TrainingReport r = full();
  r.curves = {};
  r.curves.loss.add(1, 4.6);
  r.curves.test_accuracy.add(1, 0.01);
  auto& m = r.mixtures[0];
  m.x.resize(1), m.load.resize(1), m.importance.resize(1);
  checked(r);
}

TEST_CASE("experts below one percent are called dead, unless the caller knows better") {
  TrainingReport r = full();
  r.mixtures[0].test_importance = {500, 300, 195, 5};
  CHECK(has(checked(r), "3 of 4"));
  CHECK(count(checked(r), "<span class=\"dead\">dead</span>") == 1);
  r.mixtures[0].alive = {true, true, true, true};
  CHECK(has(checked(r), "4 of 4"));
  r.mixtures[0].alive.clear();
  r.mixtures[0].test_importance = {0, 0, 0, 0};
  CHECK(has(checked(r), "0 of 4"));
}

TEST_CASE("soft losses are called balance loss, hard ones constraint") {
  TrainingReport r = full();
  CHECK(has(checked(r), "Balance loss: importance, weight 0.5."));
  CHECK_FALSE(has(checked(r), "onstraint:"));
  r.mixtures[0].balance.clear(), r.mixtures[0].constraint = "relative importance, limit 0.5";
  CHECK(has(checked(r), "Hard constraint: relative importance, limit 0.5."));
  CHECK_FALSE(has(checked(r), "Balance loss:"));
}

TEST_CASE("accuracy against k bears the name of its score, on an axis of ten points or more, with its values") {
  TrainingReport r = full();
  auto& m = r.mixtures[0];
  m.score = "mIoU", m.accuracy_at_k = {{1, 0.612}, {2, 0.617}, {3, 0.615}};
  const auto html = checked(r);
  CHECK(has(html, "<b>mIoU against k</b>"));
  CHECK_FALSE(has(html, "Accuracy against k"));
  for (const char* value : {">61.2<", ">61.7<", ">mIoU 61.5 %<", ">56<", ">68<"})
    CHECK_MESSAGE(has(html, value), value);
}

TEST_CASE("favourites that rest on a few images say so") {
  TrainingReport r = full();
  r.mixtures[0].top_classes[0][0].images = 100;
  r.class_images.assign(6, 100);
  CHECK_FALSE(has(checked(r), "fewer than"));
  CHECK_FALSE(has(checked(r), "class few\""));
  r.mixtures[0].top_classes[0][0].images = 1;
  r.mixtures[0].top_classes[1][0].images = 2;
  r.class_images = {1, 2, 100, 100, 0, 100};
  const auto html = checked(r);
  CHECK(has(html, "70.0\u202F% of 1 image<"));
  CHECK(has(html, "70.0\u202F% of 2 images<"));
  CHECK(count(html, "class=\"class few\"") == 2);
  CHECK(count(html, "<span class=\"few\">apple</span>") == 2);
  CHECK(count(html, "in grey italics rest on fewer than 5 test images") == 1);
  CHECK(has(html, "2 of the classes have fewer than 5 test images"));
}

TEST_CASE("the page says why use in training and on the test set differs") {
  TrainingReport r = full();
  CHECK(has(checked(r), "chosen by the same rule in training and on the test set"));
  r.mixtures[0].only_in_training = {"noise", "crops", "bars"};
  CHECK(has(checked(r), "Only training has noise; crops; and bars."));
  r.mixtures[0].test_load.clear(), r.mixtures[0].test_importance.clear();
  CHECK_FALSE(has(checked(r), "Only training has"));
}

TEST_CASE("on a narrow screen the row of an expert becomes a block of named values") {
  const auto html = checked(full());
  CHECK(count(html, "<table class=\"stack\">") == 1);
  for (const char* name : {"importance", "load", "importance over time", "top-1 alone", "favourite classes", "state"})
    CHECK_MESSAGE(count(html, formatted("data-name=\"{}\"", name)) == 4, name);
}

TEST_CASE("amounts that are no numbers leave a page") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TrainingReport r = full();
  auto& m = r.mixtures[0];
  m.x[0] = nan, m.load[1][0] = nan, m.importance[2].assign(4, nan);
  m.test_load[0] = nan, m.test_importance[1] = nan, m.expert_accuracy[2] = nan;
  m.class_weights.fill(nan), m.family_weights(0, 0) = nan, m.pairs(1, 0) = nan;
  m.accuracy_at_k[0].top1 = nan, m.top_classes[0][0].mean_weight = nan;
  m.entropy = m.cv_load = nan;
  r.top1 = nan;
  CHECK_FALSE(has(checked(r), ">nan"));
}

TEST_CASE("warnings of run and mixture are at the top") {
  TrainingReport r = full();
  r.warnings = {"the test set is small"};
  r.mixtures[0].warnings = {"expert 3 is dead"};
  const auto html = checked(r);
  CHECK(has(html, "<p>layer4: expert 3 is dead</p>"));
  CHECK(html.find("expert 3 is dead") < html.find("<section"));
}

TEST_CASE("hostile names do not leave their place") {
  const std::string hostile = "<script>alert(1)</script>\"'&";
  TrainingReport r = full(4, 2);
  r.title = r.description = r.date = r.command = r.version = hostile;
  r.settings = r.environment = {{hostile, hostile}};
  r.facts = {{hostile, hostile, hostile}};
  r.class_names = r.family_names = {hostile, hostile};
  r.warnings = r.notes = {hostile};
  auto& m = r.mixtures[0];
  m.name = m.gate = m.balance = m.constraint = hostile;
  m.only_in_training = {hostile};
  m.top_classes[0][0].name = hostile;
  CHECK_FALSE(has(checked(r), "<script"));
}

TEST_CASE("classes are sorted by favourite expert") {
  TrainingReport r = full(2, 3);
  r.class_names = {"third", "first", "second"};
  Matrix& w = r.mixtures[0].class_weights;
  w(0, 0) = 0.1, w(0, 1) = 0.9, w(1, 0) = 0.8, w(1, 1) = 0.2, w(2, 0) = 0.6, w(2, 1) = 0.4;
  const auto html = checked(r);
  CHECK(html.find(">first<") < html.find(">second<"));
  CHECK(html.find(">second<") < html.find(">third<"));
}

TEST_CASE("sizes that do not fit are refused by name") {
  TrainingReport r = full();
  r.mixtures[0].test_load.resize(3);
  CHECK_THROWS_WITH(render(r), "report of mixture 'layer4': test_load has 3 entries for 4 experts");
  r = full();
  r.mixtures[0].importance[2].resize(5);
  CHECK_THROWS_WITH(render(r), "report of mixture 'layer4': a point of importance has 5 entries for 4 experts");
  r = full();
  r.mixtures[0].load.pop_back();
  CHECK_THROWS_WITH(render(r), "report of mixture 'layer4': load has 19 points for 20 x values");
}

TEST_CASE("long commands are folded at their options, quoted ones are left alone") {
  const std::string long_one(80, 'x');
  CHECK(report::detail::fold_command(long_one + " --a 1 --b 2") == long_one + " \\\n    --a 1 \\\n    --b 2");
  CHECK(report::detail::fold_command(long_one + " --a 'x --b'") == long_one + " --a 'x --b'");
  CHECK(report::detail::fold_command("ls --all") == "ls --all");
}

TEST_CASE("the report is written to its file") {
  const auto path = std::filesystem::temp_directory_path() / "moecnn_report_test.html";
  write_report(full(), path);
  std::ifstream in(path);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == render(full()));
  std::filesystem::remove(path);
}
