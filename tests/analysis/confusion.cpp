#include "moecnn/analysis/confusion.hpp"

#include "io/scratch.hpp"
#include "moecnn/core/rng.hpp"
#include "moecnn/data/cityscapes.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace moecnn;
using analysis::Confusion;

TEST_CASE("figures of a case that can be counted by hand") {
  //                           class 3 is nowhere, class 2 only in the prediction
  const std::vector<int> truth{0, 0, 0, 0, 1, 1, 255, 255};
  const std::vector<int> guess{0, 0, 1, 2, 1, 0, 2, 0};
  Confusion c(4);
  c.add(truth.data(), guess.data(), truth.size());
  CHECK(c.count(0, 0) == 2);
  CHECK(c.count(0, 2) == 1);
  CHECK(c.truths(0) == 4);
  CHECK(c.guesses(0) == 3);
  CHECK(c.guesses(2) == 1);  // predictions on ignored pixels count nowhere
  CHECK(c.pixels() == 6);
  CHECK(c.ignored() == 2);
  CHECK(c.iou(0) == doctest::Approx(2.0 / 5));
  CHECK(c.iou(1) == doctest::Approx(1.0 / 3));
  CHECK(c.iou(2) == 0);
  CHECK(std::isnan(c.iou(3)));
  CHECK(c.mean_iou() == doctest::Approx((2.0 / 5 + 1.0 / 3) / 3));
  CHECK(c.pixel_accuracy() == 0.5);
  CHECK(c.accuracy(1) == 0.5);
  CHECK(std::isnan(c.accuracy(2)));
  CHECK(c.mean_accuracy() == 0.5);
  const Matrix shares = c.shares();
  CHECK(shares(0, 0) == 0.5);
  CHECK(shares(0, 1) == 0.25);
  CHECK(std::isnan(shares(3, 0)));
}

TEST_CASE("a prediction of no class is a miss and no false alarm") {
  const std::vector<std::uint8_t> truth{0, 0, 1, 1}, guess{0, 255, 1, 1};
  Confusion c(2);
  c.add(data::LabelMap{2, 2, truth}, data::LabelMap{2, 2, guess});
  CHECK(c.count(0, 2) == 1);
  CHECK(c.iou(0) == 0.5);
  CHECK(c.iou(1) == 1);
  CHECK(c.pixel_accuracy() == 0.75);
}

TEST_CASE("sums of parts, of scores, and nothing at all") {
  Confusion c(2), d(2);
  CHECK(std::isnan(c.mean_iou()));
  CHECK(std::isnan(c.pixel_accuracy()));
  const std::vector<float> scores{1, 0, 1,   //
                                  0, 1, 0,   // the first image: 0 1 0
                                  2, 2, 2,   //
                                  3, 1, 3};  // the second: 1 0 1
  const std::vector<int> truth{0, 1, 1, 1, 255, 0};
  c.add_scores(scores.data(), 2, 3, truth.data());
  CHECK(c.count(0, 0) == 1);
  CHECK(c.count(0, 1) == 1);
  CHECK(c.count(1, 0) == 1);
  CHECK(c.count(1, 1) == 2);
  d.add(c);
  d.add(c);
  CHECK(d.count(1, 1) == 4);
  CHECK(d.mean_iou() == c.mean_iou());
  d.reset();
  CHECK(d.pixels() == 0);
  CHECK_THROWS_WITH_AS(d.add(Confusion(3)), doctest::Contains("3 classes"), Error);
}

TEST_CASE("many pixels, on several threads") {
  const int n = 100'003;
  const Rng rng(7, Purpose::other);
  std::vector<std::uint8_t> truth(n), guess(n);
  std::vector<long long> counts(11 * 11);
  for (int i = 0; i < n; ++i) {
    truth[i] = static_cast<std::uint8_t>(rng.below(12, i));
    guess[i] = static_cast<std::uint8_t>(rng.below(11, i, 1));
    if (truth[i] == 11)
      truth[i] = 255;
    else
      ++counts[truth[i] * 11 + guess[i]];
  }
  Confusion c(11);
  c.add(truth.data(), guess.data(), n);
  bool same = true;
  for (int t = 0; t < 11; ++t)
    for (int g = 0; g < 11; ++g) same = same && c.count(t, g) == counts[t * 11 + g];
  CHECK(same);
  CHECK(c.pixels() + c.ignored() == n);
}

TEST_CASE("misuse") {
  Confusion c(3);
  const std::vector<int> truth{0, 7}, guess{0, 0};
  CHECK_THROWS_WITH_AS(
      c.add(truth.data(), guess.data(), 2),
      "1 of 2 pixels have no class that is known, such as 7; expected 0 to 2, or 255 for pixels to ignore", Error);
  CHECK_THROWS_WITH_AS(Confusion(3, 1), doctest::Contains("none of them ignored"), Error);
  CHECK_THROWS_WITH_AS(c.add(data::LabelMap{1, 2, {0, 0}}, data::LabelMap{2, 1, {0, 0}}),
                       doctest::Contains("bring both to one size"), Error);
}

TEST_CASE("JSON") {
  Confusion c(2);
  const std::vector<int> truth{0, 0, 255}, guess{0, 1, 1};
  c.add(truth.data(), guess.data(), 3);
  const io::Json j = c.json({"road", "car"});
  CHECK(j["mean_iou"].number() == 0.25);
  CHECK(j["pixels"].whole() == 2);
  CHECK(j["ignored"].whole() == 1);
  CHECK(j["classes"][0]["name"].text() == "road");
  CHECK(j["classes"][1]["iou"].number() == 0);
  CHECK(j["classes"][1]["accuracy"].is_null());
  CHECK(j["counts"].dump() == "[[1,1],[0,0]]");
}

TEST_CASE("equal to the official Cityscapes script") {
  const std::filesystem::path golden = "tests/golden";
  std::ifstream in(golden / "confusion.json");
  std::stringstream text;
  text << in.rdbuf();
  const io::Json about = io::Json::parse(text.str(), "confusion.json");
  const auto ids = data::cityscapes_train_ids();
  Confusion c(19);
  for (const io::Json& scene : about["scenes"].elements()) {
    const auto read = [&](const char* kind) {
      data::LabelMap map = data::read_label_map(golden / "confusion" / (scene.text() + kind));
      data::apply_train_ids(ids, map);
      return map;
    };
    c.add(read("_labels.png"), read("_prediction.png"));
  }
  for (int t = 0; t < 19; ++t) {
    CAPTURE(t);
    const io::Json iou = about["iou"][t];
    if (iou.is_null())
      CHECK(std::isnan(c.iou(t)));
    else
      CHECK(c.iou(t) == iou.number());
    for (int g = 0; g < 19; ++g) CHECK(c.count(t, g) == about["counts"][t][g].whole());
  }
  CHECK(c.mean_iou() == about["mean_iou"].number());
}
