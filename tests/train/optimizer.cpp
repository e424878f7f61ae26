#include "moecnn/train/optimizer.hpp"

#include <doctest/doctest.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "io/scratch.hpp"
#include "moecnn/backend/host/typed_layout.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_file.hpp"

using namespace moecnn;

namespace {

/// Stores n values backwards, with a gap of three zeros in front.
template <class T>
struct Backwards final : host::TypedLayout<T> {
  explicit Backwards(std::size_t count) : n(count) {}
  std::size_t elements() const override { return n + 3; }
  void pack(const T* plain, T* stored) const override {
    for (std::size_t i = 0; i < n; ++i) stored[3 + i] = plain[n - 1 - i];
  }
  void unpack(const T* stored, T* plain) const override {
    for (std::size_t i = 0; i < n; ++i) plain[n - 1 - i] = stored[3 + i];
  }
  std::size_t n;
};

/// A store with a buffer and a parameter "w" of seven values, in another layout if asked.
template <class T>
ParamStore seven(bool backwards) {
  Graph g;
  g.params.push_back({"mean", {4}, Init::zeros, 0, false});
  g.params.push_back({"w", {7}});
  for (ParamSpec& p : g.params) p.dtype = dtype_of<T>;
  ParamStore store;
  store.adopt(g, backwards ? Layouts{nullptr, std::make_shared<Backwards<T>>(7)} : Layouts{});
  store.make_gradients();
  return store;
}

AnyOptimizer from_json(const std::string& kind, const io::Json& o) {
  if (kind == "sgd")
    return Sgd{.momentum = o["momentum"].number_or(0),
               .nesterov = o["nesterov"].boolean_or(false),
               .weight_decay = o["weight_decay"].number_or(0)};
  const double beta1 = o["betas"][0].number(), beta2 = o["betas"][1].number(), eps = o["eps"].number(),
               decay = o["weight_decay"].number_or(0);
  if (kind == "adam") return Adam{.beta1 = beta1, .beta2 = beta2, .eps = eps, .weight_decay = decay};
  return AdamW{.beta1 = beta1, .beta2 = beta2, .eps = eps, .weight_decay = decay};
}

/// Walks PyTorch's trajectory; with `restart_at` a second optimiser takes over there, as after a checkpoint.
template <class T>
void follow(const io::Json& c, const io::TensorFile& file, bool backwards, int restart_at) {
  const io::Json o = c["options"];
  const std::string name = c["name"].text();
  CAPTURE(name);
  const auto start = file.read<double>("common/start"), gradients = file.read<double>("common/gradients");
  const auto path = file.read<T>(name + (sizeof(T) == 8 ? "/f64" : "/f32"));
  ParamStore store = seven<T>(backwards);
  std::vector<T> plain(start.begin(), start.end());
  store.write(1, plain.data());
  auto optimizer = std::make_unique<Optimizer>(from_json(c["kind"].text(), o), store);
  double lr = o["lr"].number();
  for (int step = 0; step < 20; ++step) {
    if (step == o["drop_at"].whole_or(-1)) lr *= 0.1;
    if (step == restart_at) {
      auto next = std::make_unique<Optimizer>(optimizer->rule(), store);
      next->set_steps(optimizer->steps());
      for (std::size_t m = 0; m < next->moments().size(); ++m) {
        store.read_as(1, optimizer->moments()[m].stored + store.offset(1), plain.data(), dtype_of<T>);
        store.write_as(1, plain.data(), dtype_of<T>, next->moments()[m].stored + store.offset(1));
      }
      optimizer = std::move(next);
    }
    plain.assign(gradients.begin() + 7 * step, gradients.begin() + 7 * step + 7);
    store.write_as(1, plain.data(), dtype_of<T>, store.grad_data(1));
    const auto version = store.version();
    optimizer->step(store, lr);
    CHECK(store.version() != version);
    const auto now = store.read(1);
    for (int i = 0; i < 7; ++i) CHECK(now[i] == doctest::Approx(path[7 * step + i]).epsilon(1e-6));
  }
  CHECK(optimizer->steps() == 20);
  if (!backwards) return;
  for (int i = 0; i < 3; ++i) {
    CHECK(store.value<T>(1)[i] == 0);
    for (const auto& m : optimizer->moments()) CHECK(reinterpret_cast<T*>(m.stored + store.offset(1))[i] == 0);
  }
}

}  // namespace

TEST_CASE("optimisers follow PyTorch over 20 steps") {
  const std::string text = bytes_of("tests/golden/optimisers.json");
  REQUIRE_MESSAGE(!text.empty(), "run the tests in the root of the project");
  const auto golden = io::Json::parse(text, "optimisers.json");
  const auto file = io::TensorFile::open("tests/golden/optimisers.safetensors");
  int cases = 0;
  for (const io::Json& c : golden["cases"].elements()) {
    const std::string kind = c["kind"].text();
    if (kind != "sgd" && kind != "adam" && kind != "adamw") continue;
    ++cases;
    for (const bool backwards : {false, true})
      for (const int restart_at : {-1, 11}) {
        follow<double>(c, file, backwards, restart_at);
        follow<float>(c, file, backwards, restart_at);
      }
  }
  CHECK(cases == 13);
}

TEST_CASE("a long vector is updated everywhere, to the same bits with any number of threads") {
  Graph g;
  g.params.push_back({"w", {50'001}});
  const auto run = [&](const AnyOptimizer& rule, [[maybe_unused]] int threads) {
    ParamStore store;
    store.adopt(g, {});
    store.make_gradients();
    for (std::size_t i = 0; i < 50'001; ++i)
      store.trained<float>()[i] = 1, store.gradients<float>()[i] = 1e-4f * static_cast<float>(i);
    Optimizer optimizer(rule, store);
#ifdef _OPENMP
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
#endif
    for (int i = 0; i < 3; ++i) optimizer.step(store, 0.1);
#ifdef _OPENMP
    omp_set_num_threads(before);
#endif
    return store.read(0);
  };
  for (const char* name : {"sgd", "adam", "adamw"}) {
    const auto one = run(optimizer_by_name(name), 1), three = run(optimizer_by_name(name), 3);
    CHECK((one == three));
    CHECK(one[50'000] < 1);
    CHECK(one[20'000] < 1);
  }
}

TEST_CASE("without eps a parameter whose gradient was always zero stays where it is") {
  Graph g;
  g.params.push_back({"w", {40}, Init::ones});
  ParamStore store;
  store.adopt(g, {});
  store.make_gradients();
  store.initialise(1);
  for (int i = 0; i < 40; i += 2) store.grad<float>(0)[i] = 0.5f;
  store.grad<float>(0)[1] = 1e-30f;  // whose square is 0
  Optimizer adam(Adam{.eps = 0}, store);
  for (int step = 0; step < 3; ++step) adam.step(store, 0.125);
  for (int i = 0; i < 40; ++i) CHECK(store.value<float>(0)[i] == doctest::Approx(i % 2 ? 1 : 1 - 3 * 0.125));
}

TEST_CASE("bad settings are refused") {
  auto store = seven<float>(false);
  const auto make = [&](AnyOptimizer o) { return error_of([&] { Optimizer(o, store); }); };
  CHECK(has(make(Sgd{.momentum = 1.5}), "momentum is 1.5"));
  CHECK(has(make(Sgd{.nesterov = true}), "Nesterov needs momentum"));
  CHECK(has(make(Adam{.beta2 = 1}), "betas"));
  CHECK(has(make(AdamW{.eps = -1}), "eps"));
  CHECK(has(error_of([] { optimizer_by_name("adamm"); }), "'adamm'"));
  CHECK(text_of(optimizer_by_name("adam")) == "adam, betas 0.9 0.999, eps 1e-08, weight decay 0");
  CHECK(Optimizer(Sgd{}, store).moments().empty());
}
