// The net of docs/concepts.md and the model of docs/model.md: compiled with the tests, not run by them.
#include "moecnn/backend/reference.hpp"
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"

using namespace moecnn;

// [net]
struct Net {
  static constexpr int in = 3;

  Value<10> wire(Recorder& g, Value<3> image) const {
    auto x = g("conv1", Conv<3, 16, ConvOpts{.kernel = 3, .pad = 1}>{}, image);
    x = g.relu(g("bn1", BatchNorm<16>{}, x));
    return g("fc", Linear<16, 10>{}, g.global_avg_pool(x));
  }
};
// [net]

int main() {
  // [model]
  Model<Net, backend::Reference<float>> model({.n = 64, .h = 32, .w = 32}, {.seed = 42});

  auto& train = model.training();       // batch 64, as given above
  auto& rest = model.training(17);      // for a last batch of 17
  auto& test = model.inference(100);    // batch norms folded, no noise
  auto& one = model.inference(100, 1);  // the same with one active expert per row
  // [model]
  return train.batch() + rest.batch() + test.batch() + one.batch() > 0 ? 0 : 1;
}
