#include "moecnn/model/param_store.hpp"

#include "moe/mixture_nets.hpp"
#include "moecnn/backend/host/typed_layout.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

Graph doubles(Graph g) {
  passes::set_dtype(g, DType::f64);
  return g;
}

}  // namespace

TEST_CASE("store: parameters lie before buffers, each on its own cache line, zero in between") {
  ParamStore store;
  store.adopt(record(test::Alone<BasicBlock<3, 5>>{}, {1, 4, 4}), {});
  store.make_gradients();
  store.initialise(1);
  const auto trained = store.trained<float>();
  CHECK(store.gradients<float>().size() == trained.size());
  long long elements = 0;
  double sum = 0, all = 0;
  for (int i = 0; i < store.size(); ++i) {
    const auto offset = store.value<float>(i) - trained.data();
    CHECK(offset % 16 == 0);
    CHECK((offset < static_cast<std::ptrdiff_t>(trained.size())) == store.spec(i).trained);
    CHECK((store.grad_data(i) != nullptr) == store.spec(i).trained);
    if (!store.spec(i).trained) continue;
    elements += store.spec(i).elements();
    for (double v : store.read(i)) sum += std::abs(v);
  }
  for (float v : trained) all += std::abs(v);
  CHECK(static_cast<long long>(trained.size()) >= elements);
  CHECK(sum == doctest::Approx(all));  // the padding is zero
}

TEST_CASE("store: names, versions, a second network") {
  ParamStore store;
  CHECK(store.empty());
  const Graph g = record(test::Alone<BasicBlock<3, 5>>{}, {1, 4, 4});
  store.adopt(g, {});
  CHECK(store.find("layer.conv1.weight") == 0);
  CHECK(store.find("layer.conv3.weight") == -1);
  CHECK(!store.has_gradients());
  CHECK(store.gradients<float>().empty());
  CHECK(store.grad<float>(0) == nullptr);
  const auto old_version = store.version();
  std::vector<double> v(store.read(0).size(), 0.25);
  store.write(0, v.data());
  CHECK(store.version() != old_version);
  CHECK(store.read(0) == v);
  CHECK_THROWS_AS(store.adopt(g, {}), Error);
}

TEST_CASE("store: initial values have the distributions that were asked for") {
  struct Specs {
    static Graph make() {
      Graph graph;
      Recorder g(graph);
      g.param("normal", {64, 32, 3, 3}, Init::kaiming_normal);
      g.param("uniform", {64, 32, 3, 3}, Init::kaiming_uniform);
      g.param("bias", {4096}, Init::fan_in_uniform, 400);
      g.param("ones", {5}, Init::ones);
      g.buffer("zeros", {5}, Init::zeros);
      return graph;
    }
  };
  ParamStore store;
  store.adopt(doubles(Specs::make()), {});
  store.initialise(3);
  const auto moments = [&](const char* name) {
    double mean = 0, square = 0, most = 0;
    const auto v = store.read(store.find(name));
    for (double x : v) mean += x / v.size(), square += x * x / v.size(), most = std::max(most, std::abs(x));
    return std::array{mean, std::sqrt(square), most};
  };
  const auto [normal_mean, normal, normal_most] = moments("normal");
  CHECK(std::abs(normal_mean) < 0.002);
  CHECK(normal == doctest::Approx(std::sqrt(2 / (64 * 9.0))).epsilon(0.02));  // 2 / fan_out
  CHECK(normal_most > 3 * normal);
  const auto [uniform_mean, uniform, uniform_most] = moments("uniform");
  const double bound = 1 / std::sqrt(32 * 9.0);
  CHECK(std::abs(uniform_mean) < 0.002);
  CHECK(uniform == doctest::Approx(bound / std::sqrt(3)).epsilon(0.02));
  CHECK(uniform_most <= bound);
  CHECK(moments("bias")[2] <= 0.05);
  CHECK(moments("bias")[2] > 0.049);
  CHECK(store.read(store.find("ones")) == std::vector<double>(5, 1.0));
  CHECK(store.read(store.find("zeros")) == std::vector<double>(5, 0.0));
}

TEST_CASE("store: a parameter's initial value belongs to its name and the seed, not to its neighbours") {
  const auto filled = [](const auto& net, std::uint64_t seed) {
    auto store = std::make_unique<ParamStore>();
    store->adopt(doubles(record(net, {1, 4, 4})), {});
    store->initialise(seed);
    return store;
  };
  const auto small = filled(test::Alone<BasicBlock<4, 4>>{}, 1), large = filled(test::Alone<BasicBlock<4, 4, 2>>{}, 1);
  const auto other = filled(test::Alone<BasicBlock<4, 4>>{}, 2);
  const auto read = [](const auto& s, const char* name) { return s->read(s->find(name)); };
  CHECK(read(small, "layer.conv2.weight") == read(large, "layer.conv2.weight"));
  CHECK(read(small, "layer.conv2.weight") != read(other, "layer.conv2.weight"));
  CHECK(read(small, "layer.conv2.weight") != read(small, "layer.conv1.weight"));
  // Float parameters are the doubles, rounded.
  ParamStore single;
  single.adopt(record(test::Alone<BasicBlock<4, 4>>{}, {1, 4, 4}), {});
  single.initialise(1);
  const auto a = read(small, "layer.conv1.weight");
  const auto b = single.read(single.find("layer.conv1.weight"));
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(static_cast<float>(a[i]) == b[i]);
}

TEST_CASE("store: constraint states are found, start at zero and are cleared by initialise()") {
  const mixture_test::Choice c{.router = mixture_test::top(2), .constraint = constraint::MeanImportance{}};
  ParamStore store;
  store.adopt(record(test::Alone{mixture_test::mixture<Conv<4, 4>>(c)}, {3, 2, 2}), {});
  REQUIRE(store.states().size() == 2);
  CHECK(store.state(0).size() == 4);
  CHECK(store.state(1).size() == 1);
  CHECK(store.state_data(0) + 4 == store.state_data(1));
  CHECK(store.state_data(-1) == nullptr);
  CHECK(store.state_data(2) == nullptr);
  store.state(1)[0] = 7;
  store.initialise(1);
  CHECK(store.state(1)[0] == 0);
}

TEST_CASE("store: a layout of the backend's own is invisible from outside") {
  struct Reversed final : host::TypedLayout<double> {
    std::size_t n;
    explicit Reversed(std::size_t size) : n(size) {}
    std::size_t elements() const override { return n + 3; }
    void pack(const double* plain, double* stored) const override {
      std::reverse_copy(plain, plain + n, stored);
      std::fill(stored + n, stored + n + 3, 0.0);
    }
    void unpack(const double* stored, double* plain) const override { std::reverse_copy(stored, stored + n, plain); }
  };
  const Graph g = doubles(record(test::Alone<BasicBlock<4, 4>>{}, {1, 4, 4}));
  ParamStore plain, own;
  plain.adopt(g, {});
  Layouts layouts(g.params.size());
  layouts[0] = std::make_shared<Reversed>(static_cast<std::size_t>(g.params[0].elements()));
  own.adopt(g, layouts);
  plain.initialise(1), own.initialise(1);
  for (int i = 0; i < plain.size(); ++i) CHECK(plain.read(i) == own.read(i));
  CHECK(own.value<double>(0)[0] == plain.value<double>(0)[g.params[0].elements() - 1]);
  CHECK(own.stored_elements(0) == plain.stored_elements(0) + 3);
  std::vector<double> stored(own.stored_elements(0)), back(plain.stored_elements(0));
  own.write_as(0, plain.value<double>(0), DType::f64, reinterpret_cast<std::byte*>(stored.data()));
  own.read_as(0, reinterpret_cast<std::byte*>(stored.data()), back.data(), DType::f64);
  CHECK(back == plain.read(0));
}
