// AnyModel::freeze() and ModelOpts::frozen_norms.
#include "io/scratch.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/testing/random_run.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

struct TwoStages {
  static constexpr int in = 3, out = 5;
  Value<5> wire(Recorder& g, Value<3> x) const {
    const auto y = g("layer2", BasicBlock<4, 4>{}, g("layer1", BasicBlock<3, 4>{}, x));
    return g("fc", Linear<4, 5>{}, g.global_avg_pool(y));
  }
};
using Two = Model<TwoStages, backend::Reference<double>>;

std::vector<char> only(const ParamStore& store, const std::string& prefix) {
  std::vector<char> frozen;
  for (int i = 0; i < store.size(); ++i) frozen.push_back(store.spec(i).name.starts_with(prefix));
  return frozen;
}

int learning(const ParamStore& store) {
  int n = 0;
  for (int i = 0; i < store.size(); ++i) n += store.spec(i).learns();
  return n;
}

double backward_nodes(const Program& p) {
  return static_cast<double>(std::count(p.flow().runs_backward.begin(), p.flow().runs_backward.end(), 1));
}

}  // namespace

TEST_CASE("freeze: nothing behind frozen layers runs backward, until they are free again") {
  Two model({2, 6, 6});
  Program* const before = &model.training();
  const double all = backward_nodes(*before);
  model.freeze(std::vector<char>(static_cast<std::size_t>(model.params().size()), 0));
  CHECK(&model.training() == before);  // nothing has changed, so nothing is made anew
  model.freeze(only(model.params(), "layer1."));
  const Program& frozen = model.training();
  CHECK(backward_nodes(frozen) < all);
  for (std::size_t n = 0; n < frozen.graph().nodes.size(); ++n)
    if (frozen.graph().nodes[n].name.starts_with("layer1")) CHECK_FALSE(bool(frozen.flow().runs_backward[n]));
  CHECK_FALSE(model.params().spec(model.params().find("layer1.conv1.weight")).learns());
  CHECK_FALSE(model.params().spec(model.params().find("layer1.bn1.running_mean")).frozen);  // a buffer
  model.freeze(only(model.params(), "none"));
  CHECK(backward_nodes(model.training()) == all);
  CHECK(has(error_of([&] { model.freeze({1, 0}); }), "was given 2 entries"));
}

TEST_CASE("frozen norms stay frozen whatever else is, and their statistics where they are") {
  Two model({2, 6, 6}, {.frozen_norms = {"layer1.*"}});
  const int norms = 3 * 2;  // weights and biases
  const int all = learning(model.params()) + norms;
  model.freeze(only(model.params(), "fc."));
  CHECK(learning(model.params()) == all - norms - 2);
  model.freeze(only(model.params(), "none"));
  CHECK(learning(model.params()) == all - norms);

  testing::fill(model.params(), 5);
  const auto mean = [&](const char* norm) {
    return model.params().read(model.params().find(std::string(norm) + ".running_mean"));
  };
  const auto first = mean("layer1.bn1"), second = mean("layer2.bn1");
  testing::forward(model.training(), testing::random_batch(model.training().graph(), 1), {.training = true});
  CHECK(mean("layer1.bn1") == first);
  CHECK(mean("layer2.bn1") != second);
  CHECK(has(error_of([] { Two({2, 6, 6}, {.frozen_norms = {"bn"}}); }), "\"bn\" matches no batch norm"));
}
