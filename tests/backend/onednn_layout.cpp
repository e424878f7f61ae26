#if MOECNN_HAS_ONEDNN
#include "onednn_compare.hpp"

#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/linear.hpp"

using namespace moecnn;
using namespace onednn_test;

namespace {

struct Net {
  static constexpr int in = 3;
  Value<50> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 25, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x);
    const auto b = g("group", Conv<25, 25, ConvOpts{.kernel = 3, .pad = 1, .groups = 5, .bias = true}>{}, a);
    return g("0", BasicBlock<25, 50, 2>{}, b);
  }
};

struct Small {
  static constexpr int in = 3;
  Value<7> wire(Recorder& g, Value<3> x) const { return g("conv", Conv<3, 7, ConvOpts{.kernel = 3}>{}, x); }
};

void check_round_trip(const Layout& layout, std::size_t plain_elements) {
  const auto plain = random_values<float>(plain_elements, 3);
  std::vector<float> stored(layout.bytes() / sizeof(float), NAN), back(plain_elements, NAN);
  layout.pack(plain.data(), stored.data());
  layout.unpack(stored.data(), back.data());
  CHECK(back == plain);
  // Elements that are not plain values are zero.
  CHECK(std::count(stored.begin(), stored.end(), 0.f) >= static_cast<long long>(stored.size() - plain_elements));
  double sum = 0, stored_sum = 0;
  for (float v : plain) sum += v;
  for (float v : stored) stored_sum += v;
  CHECK(stored_sum == doctest::Approx(sum));
}

}  // namespace

TEST_CASE("onednn: layouts give back what they were given and pad with zeros") {
  for (const int channels : {1, 3, 16, 25, 48})
    for (const int block : {8, 16}) {
      const Edge e{{2, 3, 5}, channels, -1, -1, ""};
      const onednn::BlockedLayout layout(e, block);
      CHECK(layout.elements() == static_cast<std::size_t>(2 * onednn::round_up(channels, block) * 15));
      check_round_trip(layout, e.elements());
    }
  Graph g = record(Net{}, {2, 8, 8});
  const auto low = backend::OneDnn().lower(g, analyse(g, true, g.outputs), {});
  int padded = 0;
  for (std::size_t i = 0; i < g.params.size(); ++i) {
    if (!low.param_layout[i]) continue;
    CAPTURE(g.params[i].name);
    check_round_trip(*low.param_layout[i], g.params[i].elements());
    padded += low.param_layout[i]->bytes() > sizeof(float) * static_cast<std::size_t>(g.params[i].elements());
  }
  CHECK(padded > 2);
}

TEST_CASE("onednn: a store of plain weights serves training and inference") {
  const Graph g = record(Net{}, {3, 8, 8});
  for (const bool training : {false, true}) {
    ParamStore plain;
    plain.adopt(g, {});
    const ProgramOpts opts = program_opts(g, training);
    Side<backend::OneDnn> one(g, opts, plain);
    Side<backend::Reference<double>> ref(g, opts);
    one.randomise(), ref.randomise();
    run_and_compare(one, ref, {.training = training});
  }
}

TEST_CASE("onednn: programs of other sizes live with the layouts of the first") {
  const Graph g = record(Net{}, {3, 8, 8}), h = record(Net{}, {1, 17, 13});
  Side<backend::OneDnn> first(g, {.training = true, .input_grad = true, .seeds = g.outputs});
  first.randomise();
  for (const bool training : {false, true}) {
    const ProgramOpts opts{
        .training = training, .input_grad = training, .seeds = training ? h.outputs : std::vector<int>{}};
    Side<backend::OneDnn> one(h, opts, first.store);
    Side<backend::Reference<double>> ref(h, opts);
    one.randomise(), ref.randomise();
    run_and_compare(one, ref, {.training = training});
  }
}

TEST_CASE("onednn: weights of another backend's layout are refused with a sentence") {
  struct Foreign final : host::TypedLayout<float> {
    std::size_t elements() const override { return 7 * 27; }
    void pack(const float*, float*) const override {}
    void unpack(const float*, float*) const override {}
  };
  const Graph g = record(Small{}, {1, 5, 5});
  CHECK_THROWS_WITH_AS(backend::OneDnn().lower(g, analyse(g, false), {std::make_shared<Foreign>()}),
                       doctest::Contains("conv.weight: weights laid out by another backend"), Error);
}
#endif
