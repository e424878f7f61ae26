// Operations of a user's own among blocked convolutions: they see plain order, and all results equal the reference's.
#if MOECNN_HAS_ONEDNN
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/moe/moe.hpp"
#include "onednn_compare.hpp"
#include "own_ops.hpp"

using namespace moecnn;
using namespace onednn_test;

namespace {

constexpr ConvOpts k3{.kernel = 3, .pad = 1};

struct Mixed {
  static constexpr int in = 3;
  struct Expert {
    static constexpr int in = 20, out = 12;
    Value<12> wire(Recorder& g, Value<20> x) const {
      const auto y = g("a", Conv<20, 12, k3>{}, x);
      return g("b", Conv<12, 12, k3>{}, g.custom(test::Gated{}, y, g.custom(test::Centred{}, y)));
    }
  };
  Value<24> wire(Recorder& g, Value<3> x) const {
    const auto stem = g.relu(g("stem", Conv<3, 20, k3>{}, x));
    const auto y = g("mixture", MoE<Expert, 4, TopK<2, RouterOpts{.noise = Noise::none}>>{}, stem);
    return g.custom<24>(test::Bells{}, g("last", Conv<12, 12, k3>{}, g.relu(y)));
  }
};

}  // namespace

TEST_CASE("oneDNN: operations of a user's own between convolutions and in experts") {
  compare(Mixed{}, {.n = 8, .h = 8, .w = 8});
  compare(Mixed{}, {.n = 8, .h = 8, .w = 8}, {.training = false, .backward = false, .fold = true});
}

TEST_CASE("oneDNN: a kernel for this backend alone") {
  struct Fast : test::Centred {
    std::string* asked;
    explicit Fast(std::string* a) : asked(a) {}
    std::unique_ptr<Kernel> lower(const KernelTarget& t, const Graph& g, const Flow& f, int n) const override {
      *asked = std::string(t.backend) + " " + name_of(t.dtype);
      return t.backend == "onednn" ? nullptr : Centred::lower(t, g, f, n);
    }
  };
  std::string asked;
  Graph graph;
  Recorder g(graph);
  const Value<3> x{g.record(ops::Input{}, {}, 3, {2, 4, 4})};
  graph.input = x.edge;
  graph.outputs = {g.custom(Fast{&asked}, x).edge};
  const Side<backend::Reference<double>> ref(graph, {});
  CHECK(asked == "reference f64");
  CHECK_THROWS_WITH_AS(Side<backend::OneDnn>(graph, {}),
                       "the network: the operation centred has no kernel for the backend onednn in f32; its lower() "
                       "answers for which it has one",
                       Error);
  CHECK(asked == "onednn f32");
}
#endif
