// Sources whose batches differ in the size of their images, as a detector's do.
#include "moecnn/backend/reference.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/train/trainer.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace moecnn;

namespace {

struct Net {
  static constexpr int in = 3, out = 4;
  Value<4> wire(Recorder& g, Value<3> image) const {
    const auto x = g.relu(g("conv", Conv<3, 5, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>{}, image));
    return g("fc", Linear<5, 4>{}, g.global_avg_pool(x));
  }
};
using NetModel = Model<Net, backend::Reference<double>>;

struct At {
  int epoch = 0, batch = 0;
};
struct SizedBatch {
  std::vector<float> images;
  std::vector<int> labels;
  int count = 0;
  Size2 size = 1;
  At position;
  bool last_of_epoch = false;
};

/// A batch for each size, in turn.
class Sizes {
 public:
  explicit Sizes(std::vector<Size2> sizes) : sizes_(std::move(sizes)) {}
  const SizedBatch& next() {
    const Size2 s = sizes_[static_cast<std::size_t>(at_.batch)];
    batch_.count = 2, batch_.size = s, batch_.position = at_;
    batch_.labels = {s.h % 4, s.w % 4};
    batch_.images.clear();
    for (int i = 0; i < 2 * 3 * s.h * s.w; ++i) batch_.images.push_back(static_cast<float>(std::sin(0.7 * i + s.h)));
    batch_.last_of_epoch = ++at_.batch == batches_per_epoch();
    if (batch_.last_of_epoch) ++at_.epoch, at_.batch = 0;
    return batch_;
  }
  At position() const { return at_; }
  void seek(At to) { at_ = to; }
  int batches_per_epoch() const { return static_cast<int>(sizes_.size()); }
  int images_per_epoch() const { return 2 * batches_per_epoch(); }

 private:
  std::vector<Size2> sizes_;
  SizedBatch batch_;
  At at_;
};

double loss_on(const std::vector<Size2>& sizes) {
  NetModel model({.n = 2, .h = 8, .w = 8}, {.seed = 3});
  Sizes source(sizes);
  return evaluate(model, source).loss;
}

}  // namespace

TEST_CASE("a test set of two sizes has the mean loss of two sets") {
  const Size2 small{8, 8}, wide{10, 14};
  CHECK(loss_on({small, wide}) == doctest::Approx((loss_on({small}) + loss_on({wide})) / 2).epsilon(1e-12));
  CHECK(std::abs(loss_on({small}) - loss_on({wide})) > 1e-6);
}

TEST_CASE("training on several sizes updates one set of parameters") {
  const auto train = [](int steps) {
    NetModel model({.n = 2, .h = 8, .w = 8}, {.seed = 3});
    Sizes source({{8, 8}, {10, 14}, {8, 8}});
    std::vector<double> losses;
    fit(model, source,
        {.epochs = 2,
         .max_steps = steps,
         .optimizer = Sgd{},
         .schedule = schedule::Constant{.rate = 0.5},
         .progress = {.show = ShowProgress::none},
         .on_step = [&](const StepInfo& s) { losses.push_back(s.loss); }});
    return losses;
  };
  const auto losses = train(6);
  REQUIRE(losses.size() == 6);
  CHECK(losses[0] == doctest::Approx(loss_on({{8, 8}})).epsilon(1e-6));  // tests read logits as floats
  // The second step sees what the first has learned, at another size; the third what both have.
  CHECK(std::abs(losses[1] - loss_on({{10, 14}})) > 1e-6);
  CHECK(losses[2] < losses[0]);
  CHECK(losses[3] < losses[0]);
}
