#include "moecnn/train/checkpoint.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

#include "io/scratch.hpp"
#include "moecnn/backend/host/typed_layout.hpp"

using namespace moecnn;

namespace {

template <class T>
struct Backwards final : host::TypedLayout<T> {
  explicit Backwards(std::size_t count) : n(count) {}
  std::size_t elements() const override { return n + 2; }
  void pack(const T* plain, T* stored) const override { std::reverse_copy(plain, plain + n, stored + 2); }
  void unpack(const T* stored, T* plain) const override { std::reverse_copy(stored + 2, stored + 2 + n, plain); }
  std::size_t n;
};

Graph small_graph(int width = 3) {
  Graph g;
  g.params.push_back({"conv.weight", {2, width, 1, 1}, Init::kaiming_uniform});
  g.params.push_back({"bn.running_mean", {2}, Init::zeros, 0, false});
  g.params.push_back({"fc.weight", {4, 2}, Init::kaiming_uniform});
  g.states.push_back({"mix.gate.relative_importance", 3});
  return g;
}

/// A store with values, an optimiser that has made two steps, and sums.
template <class T>
struct World {
  explicit World(bool backwards = false, std::uint64_t seed = 1, const Graph& g = small_graph()) {
    Layouts layouts(g.params.size());
    if (backwards)
      for (std::size_t i = 0; i < layouts.size(); i += 2)
        layouts[i] = std::make_shared<Backwards<T>>(g.params[i].elements());
    Graph typed = g;
    for (ParamSpec& p : typed.params) p.dtype = dtype_of<T>;
    store.adopt(typed, layouts);
    store.make_gradients();
    store.initialise(seed);
    optimizer = std::make_unique<Optimizer>(Adam{}, store);
    run.settings = {{"net", "small"}, {"batch", "128"}};
    run.sums = {{"window", sums}};
  }
  void train(int steps) {
    for (int s = 0; s < steps; ++s) {
      for (const int i : {0, 2}) {
        std::vector<T> g(store.spec(i).elements());
        for (std::size_t j = 0; j < g.size(); ++j)
          g[j] = static_cast<T>(std::sin(static_cast<double>(j + 7 * i + 13 * optimizer->steps())));
        store.write_as(i, g.data(), dtype_of<T>, store.grad_data(i));
      }
      optimizer->step(store, 0.01);
      store.value<T>(1)[0] += T(0.125);
      store.state(0)[1] += 1.0 / 3;
      sums[0] += 0.1;
      ++run.step, run.seconds += 0.5;
    }
  }
  void save(const std::filesystem::path& path, bool keep = false) {
    save_checkpoint(path, store, *optimizer, run, keep);
  }
  void load(const std::filesystem::path& path) { load_checkpoint(path, store, *optimizer, run); }
  std::vector<double> values() {
    std::vector<double> all;
    for (int i = 0; i < store.size(); ++i)
      for (T v : store.read<T>(i)) all.push_back(v);
    all.insert(all.end(), store.state(0).begin(), store.state(0).end());
    all.push_back(sums[0]);
    return all;
  }

  ParamStore store;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<double> sums{0, 0};
  RunState run;
};

}  // namespace

TEST_CASE_TEMPLATE("a checkpoint goes on to the same bits, also into another layout", T, float, double) {
  const Scratch out;
  for (const bool from : {false, true})
    for (const bool to : {false, true}) {
      World<T> a(from), b(to, 99);
      a.train(3);
      a.run.epoch = 2, a.run.batch = 7, a.run.threads = 5, a.run.seed = ~std::uint64_t{0} - 3;
      a.save(out / "c.safetensors");
      b.load(out / "c.safetensors");
      CHECK(b.values() == a.values());
      CHECK(b.run.step == 3);
      CHECK(b.run.epoch == 2);
      CHECK(b.run.batch == 7);
      CHECK(b.run.threads == 5);
      CHECK(b.run.seed == a.run.seed);
      CHECK(b.run.seconds == 1.5);
      CHECK(b.optimizer->steps() == 3);
      a.train(2), b.train(2);
      CHECK(b.values() == a.values());
    }
}

TEST_CASE("last.safetensors holds parameters, buffers and the constraints' state, and nothing else") {
  const Scratch out;
  World<double> a(true), b(false, 99);
  a.train(3);
  save_weights(a.store, out / "last.safetensors");
  const auto file = io::TensorFile::open(out / "last.safetensors");
  CHECK(file.names() ==
        std::vector<std::string>{"bn.running_mean", "conv.weight", "fc.weight", "mix.gate.relative_importance"});
  CHECK(file.info("conv.weight").dtype == DType::f32);
  CHECK(file.info("conv.weight").shape == std::vector<std::int64_t>{2, 3, 1, 1});
  CHECK(file.info("mix.gate.relative_importance").dtype == DType::f64);
  load_weights(b.store, out / "last.safetensors");
  for (int i = 0; i < 3; ++i) {
    const auto x = a.store.read(i), y = b.store.read(i);
    for (std::size_t j = 0; j < x.size(); ++j) CHECK(y[j] == static_cast<float>(x[j]));
  }
  CHECK(b.store.state(0)[1] == 1.0);
  // A checkpoint is a weights file as well.
  a.save(out / "c.safetensors");
  load_weights(b.store, out / "c.safetensors");
  CHECK(b.store.read(0) == a.store.read(0));
}

TEST_CASE("weights from elsewhere: batch counters are passed over, the state may be missing") {
  const Scratch out;
  const std::vector<float> six(6, 2.f), two(2, 3.f), eight(8, 4.f);
  const std::vector<std::int64_t> counter{17};
  io::TensorWriter w;
  w.add<float>("conv.weight", {2, 3, 1, 1}, std::span(six));
  w.add<float>("bn.running_mean", {2}, std::span(two));
  w.add<std::int64_t>("bn.num_batches_tracked", {}, std::span(counter));
  w.add<float>("fc.weight", {4, 2}, std::span(eight));
  w.write(out / "torch.safetensors");
  World<float> a;
  a.train(1);
  const auto old_version = a.store.version();
  load_weights(a.store, out / "torch.safetensors");
  CHECK(a.store.version() != old_version);
  CHECK(a.store.read<float>(2) == eight);
  CHECK(a.store.state(0)[1] == 0);
}

TEST_CASE("a part of a network comes from a file with other names, which may hold more") {
  const Scratch out;
  Graph whole;
  whole.params.push_back({"backbone.conv.weight", {2, 3, 1, 1}, Init::kaiming_uniform});
  whole.params.push_back({"backbone.bn.running_mean", {2}, Init::zeros, 0, false});
  whole.params.push_back({"head.weight", {4, 2}, Init::kaiming_uniform});
  World<float> a;
  World<double> b(false, 7, whole);
  save_weights(a.store, out / "a.safetensors");
  const auto head = b.store.read(2);
  const auto old_version = b.store.version();
  CHECK(load_part(b.store, out / "a.safetensors", "backbone.", "") == 2);
  CHECK(b.store.version() != old_version);
  for (std::size_t i = 0; i < 6; ++i) CHECK(b.store.read(0)[i] == a.store.read(0)[i]);
  CHECK(b.store.read(2) == head);

  const auto before = b.store.read(0);
  const auto text = error_of([&] { load_part(b.store, out / "a.safetensors", "", ""); });
  INFO(text);
  CHECK(has(text, "missing (3): 'backbone.conv.weight', 'backbone.bn.running_mean', 'head.weight'"));
  CHECK(b.store.read(0) == before);
  CHECK(has(error_of([&] { load_part(b.store, out / "a.safetensors", "encoder.", ""); }),
            "no parameter of this network begins with \"encoder.\""));
}

TEST_CASE("files that do not fit are refused with every reason, and change nothing") {
  const Scratch out;
  Graph other = small_graph(5);
  other.params[2].name = "head.weight";
  World<float> a(false, 1, other), b;
  a.save(out / "a.safetensors");
  save_weights(a.store, out / "w.safetensors");
  const auto before = b.values();
  for (const auto& text : {error_of([&] { b.load(out / "a.safetensors"); }),
                           error_of([&] { load_weights(b.store, out / "w.safetensors"); })}) {
    INFO(text);
    CHECK(has(text, "'fc.weight'"));
    CHECK(has(text, "'head.weight'"));
    CHECK(has(text, "'conv.weight' is [2, 5, 1, 1], expected [2, 3, 1, 1]"));
  }
  CHECK(has(error_of([&] { b.load(out / "w.safetensors"); }), "is no checkpoint"));
  CHECK(has(error_of([&] { b.load(out / "none.safetensors"); }), "none.safetensors"));
  World<double> d;
  d.save(out / "d.safetensors");
  CHECK(has(error_of([&] { b.load(out / "d.safetensors"); }), "F64, expected F32"));
  World<float> s;
  s.optimizer = std::make_unique<Optimizer>(Sgd{}, s.store);
  s.save(out / "s.safetensors");
  CHECK(has(error_of([&] { b.load(out / "s.safetensors"); }), "optimizer.exp_avg.conv.weight"));
  World<float> n;
  n.run.settings = {{"net", "large"}, {"lr", "1"}};
  n.save(out / "n.safetensors");
  const auto text = error_of([&] { b.load(out / "n.safetensors"); });
  INFO(text);
  CHECK(has(text, "net was 'large', is now 'small'"));
  CHECK(has(text, "lr was '1', is now not given"));
  CHECK(has(text, "batch was not given, is now '128'"));
  CHECK(b.values() == before);
}

TEST_CASE("a full disk while a checkpoint is written leaves the old one whole") {
  const Scratch out;
  Graph g = small_graph();
  g.params[0].shape = {64, 64, 3, 3};
  World<float> a(false, 1, g), b(false, 2, g);
  a.train(1);
  a.save(out / "c.safetensors");
  const auto old = a.values();
  a.train(1);

  rlimit limit{}, tight{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  tight = limit;
  tight.rlim_cur = 100'000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const auto text = error_of([&] { a.save(out / "c.safetensors"); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, handler);

  INFO(text);
  CHECK(has(text, "cannot write"));
  CHECK(has(text, "c.safetensors"));
  CHECK(out.files() == 1);
  b.load(out / "c.safetensors");
  CHECK((b.values() == old));
}

TEST_CASE("texts beside the weights come back as they were, and weights without them load all the same") {
  const Scratch out;
  World<float> a(false), b(true);
  const WeightsMetadata texts{{"classes", "[\"ant\", \"b\u00e9b\u00e9\"]"}, {"network", "resnet18"}, {"empty", ""}};
  save_weights(a.store, out / "with.safetensors", DType::f32, texts);
  save_weights(a.store, out / "without.safetensors");
  CHECK(weights_metadata(out / "with.safetensors") == texts);
  CHECK(weights_metadata(out / "without.safetensors").empty());
  load_weights(b.store, out / "with.safetensors");
  CHECK(b.store.read<float>(0) == a.store.read<float>(0));
  CHECK_THROWS_AS(save_weights(a.store, out / "bad.safetensors", DType::f32, {{"name", "\xff"}}), Error);
  CHECK_FALSE(std::filesystem::exists(out / "bad.safetensors"));
  put_bytes(out / "short.safetensors", bytes_of(out / "with.safetensors").substr(0, 40));
  CHECK_THROWS_AS(weights_metadata(out / "short.safetensors"), Error);
}

TEST_CASE("weights saved as bf16 take half the space and are the rounded ones when they are read") {
  const Scratch out;
  Graph g = small_graph();
  g.params[0].shape = {64, 64, 3, 3};
  World<float> a(false, 1, g), b(true, 2, g);
  a.train(1);
  save_weights(a.store, out / "f32.safetensors");
  save_weights(a.store, out / "bf16.safetensors", DType::bf16);
  CHECK(std::filesystem::file_size(out / "bf16.safetensors") <
        0.51 * std::filesystem::file_size(out / "f32.safetensors"));
  load_weights(b.store, out / "bf16.safetensors");
  for (int i = 0; i < a.store.size(); ++i) {
    const auto x = a.store.read<float>(i), y = b.store.read<float>(i);
    for (std::size_t j = 0; j < x.size(); ++j) REQUIRE(y[j] == static_cast<float>(Bf16(x[j])));
  }
  CHECK(b.store.state(0)[1] == a.store.state(0)[1]);
  CHECK(has(error_of([&] { save_weights(a.store, out / "x.safetensors", DType::f64); }), "not as f64"));
  CHECK(out.files() == 2);
}

TEST_CASE("the checkpoint before the last can be kept") {
  const Scratch out;
  World<float> a, b;
  a.save(out / "c.safetensors", true);
  CHECK(out.files() == 1);
  for (int i = 0; i < 3; ++i) a.train(1), a.save(out / "c.safetensors", true);
  b.load(out / "c.previous.safetensors");
  CHECK(b.run.step == 2);
  b.load(out / "c.safetensors");
  CHECK(b.run.step == 3);
}

TEST_CASE("settings survive JSON, whatever is in them") {
  const Settings s{{"b", "x \"y\"\n"}, {"a", "ü"}, {"empty", ""}};
  CHECK(settings_from_json(to_json(s), "file") == s);
  CHECK(differences(s, s).empty());
  CHECK(has(error_of([] { settings_from_json("[1]", "file.x"); }), "file.x"));
  CHECK(has(error_of([] { settings_from_json("{\"a\":1}", "file.x"); }), "setting 'a'"));
}
