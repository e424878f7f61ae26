// The code of docs/customising.md about tasks. Text between two `// [name]` markers is shown there word for word.
#include "moecnn/backend/reference.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/train/trainer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

// [task]
/// Several classes per image: a row of 0 and 1 for each, and a sigmoid for every class.
struct Tags : Task {
  void losses(Recorder& g, int scores, double factor) const override {
    const Edge& s = g.graph().edges[scores];
    const int tags = g.target("tags", s.extent, s.channels);
    g.binary_cross_entropy(scores, tags, {.factor = factor});
  }
};

/// Images of 8×8 pixels with four tags each, in batches: what fit() and evaluate() take.
struct TaggedImages {
  struct Position {
    int epoch = 0, batch = 0;
  };
  struct Batch {
    const float *images, *tags;
    int count;
    bool last_of_epoch;
    Position position;
    auto targets() const { return std::array{Target{"tags", tags}}; }
  };

  std::vector<float> images, tags;
  static constexpr int size = 10, all = 40;
  Position at = {};

  Batch next() {
    const std::size_t first = static_cast<std::size_t>(at.batch) * size;
    const Batch batch{&images[first * 3 * 64], &tags[first * 4], size, at.batch + 1 == batches_per_epoch(), at};
    at = batch.last_of_epoch ? Position{at.epoch + 1, 0} : Position{at.epoch, at.batch + 1};
    return batch;
  }
  Position position() const { return at; }
  void seek(Position p) { at = p; }
  int batches_per_epoch() const { return all / size; }
  int images_per_epoch() const { return all; }
};
// [task]

struct Net {
  static constexpr int in = 3;
  Value<4> wire(Recorder& g, Value<3> image) const {
    const auto x = g.relu(g("conv", Conv<3, 16, ConvOpts{.kernel = 1, .bias = true}>{}, image));
    return g("fc", Linear<16, 4>{}, g.global_avg_pool(x));
  }
};

/// A tag says whether a channel is bright, the last one whether all are.
TaggedImages make_images() {
  TaggedImages set;
  const Rng rng(3, Purpose::other);
  for (std::uint64_t i = 0; i < TaggedImages::all; ++i) {
    int bright = 0;
    for (std::uint64_t c = 0; c < 3; ++c) {
      const bool on = rng.below(2, i, c) == 1;
      bright += on;
      set.tags.push_back(on ? 1.0f : 0.0f);
      for (std::uint64_t p = 0; p < 64; ++p)
        set.images.push_back(static_cast<float>(0.3 * rng.normal(i, 4 + c * 64 + p)) + (on ? 1.0f : -1.0f));
    }
    set.tags.push_back(bright == 3 ? 1.0f : 0.0f);
  }
  return set;
}

}  // namespace

TEST_CASE("a task of one's own: several classes per image") {
  TaggedImages train = make_images(), test = train;
  // [train_task]
  Model<Net, backend::Reference<float>> model({.n = 10, .h = 8, .w = 8}, {.task = Tags{}});
  const TrainOpts opts{.epochs = 30, .optimizer = Adam{}, .schedule = schedule::Constant{.rate = 0.02}};
  const TrainResult run = fit(model, train, test, opts);
  const double share = run.test->value("accuracy");  // of the tags that were predicted rightly
  // [train_task]
  CHECK(run.epochs.front().accuracy < 0.8);
  CHECK(share > 0.97);
  CHECK(run.test->score() == share);
  CHECK(run.epochs.back().accuracy > 0.97);
  const Evaluation found = evaluate(model, test);
  CHECK(found.images == 40);
  CHECK(found.scores.at(0).value == share);
  CHECK(found.loss == doctest::Approx(run.test->loss));
}

TEST_CASE("a task whose targets the batches lack is refused by name") {
  Model<Net, backend::Reference<float>> model({.n = 10, .h = 8, .w = 8});  // task::Classify
  TaggedImages train = make_images();
  CHECK_THROWS_WITH_AS(fit(model, train, {}), "the losses want a target \"labels\", but the batches have \"tags\"",
                       Error);
}
