#include "moecnn/model/upcycle.hpp"

#include "graph_runs.hpp"
#include "moe/mixture_nets.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;

namespace {

template <class Stage>
struct Net {
  static constexpr int in = 4;
  Stage stage{};
  Value<3> wire(Recorder& g, Value<4> x) const { return g("stage", stage, g("stem", Conv<4, 4>{}, x)); }
};

struct Rig {
  test::Rig<backend::Reference<double>> rig;
  Graph graph;
  Program& program;

  template <class Stage>
  explicit Rig(const Stage& stage) : rig{}, graph(record(Net<Stage>{stage}, {4, 5, 5})), program(rig.add(graph, {})) {
    test::fill(rig.store, 1);
  }
  std::vector<double> read(const std::string& name) const { return rig.store.read(rig.store.find(name)); }
};

Rig mixture_of_norms() { return Rig(mixture<NormExpert>({.experts = 3, .router = top(2)})); }

double deviation(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("upcycle: without noise experts are the layer, and so is the mixture") {
  Rig plain{NormExpert{}};
  auto mixed = mixture_of_norms();
  const auto gate = mixed.read("stage.gate.fc.weight");
  mixed.rig.store.write(mixed.rig.store.find("stem.weight"), plain.read("stem.weight").data());
  const int tensors = upcycle(mixed.rig.store, tensors_of(plain.rig.store), "stage", {.noise = 0});
  CHECK(tensors == 3 * (plain.rig.store.size() - 1));
  for (int i = 0; i < plain.rig.store.size(); ++i) {
    const std::string name = plain.rig.store.spec(i).name;
    for (int e = 0; e < 3 && name.starts_with("stage."); ++e)
      CHECK(mixed.read("stage.experts." + std::to_string(e) + name.substr(5)) == plain.read(name));
  }
  CHECK(mixed.read("stage.gate.fc.weight") == gate);
  const auto batch = test::random_batch(plain.graph, 3);
  const auto a = test::run(plain.rig, plain.program, batch, {}, test::Backward::no);
  const auto b = test::run(mixed.rig, mixed.program, batch, {}, test::Backward::no);
  CHECK(test::distance(b.result, a.result) < 1e-12);
}

TEST_CASE("upcycle: noise of every expert is its own, absolute or relative, and spares buffers") {
  const Rig plain{NormExpert{}};
  const std::string conv = "0.conv1.weight", mean = "0.bn1.running_mean";
  const auto own = plain.read("stage." + conv);
  double average = 0;
  for (double v : own) average += v / static_cast<double>(own.size());
  const double spread = deviation(own, std::vector<double>(own.size(), average));
  std::vector<std::vector<double>> seen;
  for (const auto scale : {UpcycleOpts::Scale::absolute, UpcycleOpts::Scale::relative})
    for (const std::uint64_t seed : {1, 2}) {
      auto mixed = mixture_of_norms();
      upcycle(mixed.rig.store, tensors_of(plain.rig.store), "", {.noise = 0.2, .scale = scale, .seed = seed});
      const double expected = scale == UpcycleOpts::Scale::absolute ? 0.2 : 0.2 * spread;
      for (const char* e : {"0.", "1.", "2."}) {
        seen.push_back(mixed.read("stage.experts." + std::string(e) + conv));
        CHECK(deviation(seen.back(), own) == doctest::Approx(expected).epsilon(0.25));  // of 72 numbers
        CHECK(mixed.read("stage.experts." + std::string(e) + mean) == plain.read("stage." + mean));
      }
    }
  for (std::size_t i = 0; i < seen.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK(seen[i] != seen[j]);
}

TEST_CASE("upcycle: an expert that is one convolution, and names") {
  const Rig plain{ConvExpert{}};
  Rig mixed{mixture<ConvExpert>({.experts = 2, .router = top(2)})};
  CHECK(upcycle(mixed.rig.store, tensors_of(plain.rig.store), "stage", {.noise = 0}) == 4);
  CHECK(mixed.read("stage.experts.1.bias") == plain.read("stage.bias"));
  CHECK(name_without_expert("head.experts.12.conv1.weight") == "head.conv1.weight");
  CHECK(name_without_expert("head.conv4.experts.0.bias") == "head.conv4.bias");
  CHECK(name_without_expert("head.experts.conv.weight") == "");
  CHECK(name_without_expert("head.conv1.weight") == "");
  CHECK(name_without_expert("a.experts.b.experts.3.c") == "a.experts.b.c");
}

TEST_CASE("upcycle: what does not fit is told at once, and nothing changes") {
  const Rig plain{ConvExpert{}};
  auto mixed = mixture_of_norms();
  const auto before = mixed.read("stage.experts.0.0.conv1.weight");
  const auto text = error_of([&] { upcycle(mixed.rig.store, tensors_of(plain.rig.store)); });
  CHECK(text.find("stage.0.conv1.weight is missing") != text.npos);
  CHECK(text.find("stage.1.bn2.bias is missing") != text.npos);
  CHECK(mixed.read("stage.experts.0.0.conv1.weight") == before);

  Rig other{mixture<ConvExpert>({.experts = 2, .router = top(2)})};
  const auto short_of = [&](const std::string& name, std::vector<double>& v) {
    return tensors_of(plain.rig.store)(name, v) && (v.pop_back(), true);
  };
  CHECK(error_of([&] {
          upcycle(other.rig.store, short_of);
        }).find("stage.bias has 2 numbers, stage.experts.0.bias has 3") != std::string::npos);
  CHECK(error_of([&] { upcycle(other.rig.store, tensors_of(plain.rig.store), "layer4"); }) ==
        "the network has no mixture named \"layer4\"; upcycling fills the experts of one");
  CHECK(error_of([&] { upcycle(other.rig.store, tensors_of(plain.rig.store), "", {.noise = -1}); }) ==
        "the noise of upcycling is -1; give a number of at least 0");
}
