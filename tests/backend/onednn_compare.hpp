#pragma once
/// One network on the oneDNN backend and on the reference in double, with the same weights, images and seeds: everything
/// that comes out is compared.

#include "moecnn/backend/default.hpp"
#include "moecnn/backend/onednn/lowering.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/graph/passes/fold_batch_norm.hpp"
#include "moecnn/graph/passes/fuse_norm_activation.hpp"
#include "moecnn/graph/passes/set_precision.hpp"
#include "moecnn/model/program.hpp"

#include <doctest/doctest.h>

namespace onednn_test {

using namespace moecnn;

/// |a - b| / |b| over the whole tensor.
template <class A, class B>
double distance(const std::vector<A>& a, const std::vector<B>& b) {
  REQUIRE(a.size() == b.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference += (a[i] - b[i]) * (a[i] - b[i]), size += static_cast<double>(b[i]) * b[i];
  return std::sqrt(difference / (size > 0 ? size : 1));
}

template <class T>
std::vector<T> random_values(std::size_t n, std::uint64_t seed, double scale = 1, double shift = 0) {
  const Rng rng(seed, Purpose::other);
  std::vector<T> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = static_cast<T>(static_cast<float>(shift + scale * rng.normal(i)));
  return v;
}

/// A program with its store. Memory starts as NaN, so that nothing can rely on zeros that were never written.
template <class Backend>
struct Side {
  using T = typename Backend::scalar;
  Backend backend;
  ParamStore own;
  ParamStore& store;
  Arena arena;
  std::unique_ptr<Program> program;

  Side(const Graph& g, const ProgramOpts& opts) : store(own) { make(g, opts); }
  Side(const Graph& g, const ProgramOpts& opts, ParamStore& shared) : store(shared) { make(g, opts); }

  void make(Graph g, const ProgramOpts& opts) {
    passes::set_dtype(g, backend.dtype());
    program = std::make_unique<Program>(std::move(g), backend, store, arena, opts);
    std::memset(arena.data(), 0xFF, arena.bytes());
    if (opts.training) std::ranges::fill(store.gradients<T>(), T(NAN));
  }
  /// The same values on every backend; variances positive.
  void randomise() {
    for (int i = 0; i < store.size(); ++i) {
      const ParamSpec& p = store.spec(i);
      const bool positive = p.init == Init::ones;
      const double fan = p.shape.size() > 1 ? 1.0 * p.elements() / p.shape[0] : 25;
      auto v = random_values<T>(p.elements(), hash_name(p.name), positive ? 0.2 : 1 / std::sqrt(fan), positive ? 1 : 0);
      if (positive)
        for (T& x : v) x = std::abs(x) + T(0.125);
      store.write(i, v.data());
    }
  }
  std::vector<T> gradient(int i) const { return store.read_grad<T>(i); }
  std::vector<T> input_gradient() const {
    std::vector<T> plain(program->graph().edges[program->graph().input].elements());
    program->read_grad(program->graph().input, plain.data());
    return plain;
  }
};

/// Whether Winograd's form can compute a convolution on this CPU: the tests are compiled for its vectors, and oneDNN, which
/// chooses how weights lie, has chosen the order that own loops read.
inline bool can_winograd(const onednn::ConvChoice& c) {
  return onednn::has_winograd(c.problem) && c.weights == onednn::winograd_weights(c.problem);
}

/// Whether oneDNN generates code for this CPU: for all passes of a common convolution between blocks of channels.
inline bool generates_code() {
  const ops::Conv op{.in = 32, .out = 32, .kernel = 3, .pad = 1};
  const Edge map{{2, 8, 8}, 32, -1, -1, ""};
  onednn::ConvUse use;
  use.rows = 2;
  use.backward_data = use.backward_weights = true;
  use.forward_attr = onednn::user_scratchpad();
  return onednn::choose_conv(op, map, true, map, true, use, nullptr, "test").rank == 0;
}

/// Options of the backend for as long as this lives.
struct WithOptions {
  explicit WithOptions(const onednn::Options& o) { onednn::options() = o; }
  ~WithOptions() { onednn::options() = {}; }
  WithOptions(const WithOptions&) = delete;
  WithOptions& operator=(const WithOptions&) = delete;
};

/// For a program that only infers, or for one that gives the gradients of everything.
inline ProgramOpts program_opts(const Graph& g, bool training) {
  return {.training = training, .input_grad = training, .seeds = training ? g.outputs : std::vector<int>{}};
}

/// One training step of random images and gradients of the first output.
template <class One>
void step_once(One& one) {
  const Graph& g = one.program->graph();
  const auto images = random_values<float>(g.edges[g.input].elements(), 7);
  const auto seed = random_values<float>(g.edges[g.outputs[0]].elements(), 8);
  one.program->set_images(images.data());
  one.program->forward({.training = true});
  one.program->seed(g.outputs[0], seed.data());
  one.program->backward({.training = true});
}

struct CompareOpts {
  bool training = true;
  bool frozen = false;  ///< a training program runs with `StepContext::training = false`
  bool backward = true;
  bool input_grad = true;
  bool fuse = true;
  bool fold = false;  ///< inference: the folded network, too
  int steps = 1;
  double shift = 0;  ///< of the images
  double tolerance = 2e-5;
};

/// The slots of a routed edge that are not in use hold anything; no such edge may be the output.
template <class One, class Ref>
void run_and_compare(One& one, Ref& ref, const CompareOpts& opts) {
  const Graph& g = ref.program->graph();
  const auto images = random_values<float>(g.edges[g.input].elements(), 7, 1, opts.shift);
  StepContext step;
  step.training = opts.training && !opts.frozen;
  for (int s = 0; s < opts.steps; ++s) {
    one.program->set_images(images.data()), ref.program->set_images(images.data());
    one.program->forward(step), ref.program->forward(step);
    ++step.step;
  }
  for (int e : g.outputs) CHECK(distance(one.program->read(e), ref.program->read(e)) < opts.tolerance);
  if (opts.training && opts.backward) {
    for (int e : g.outputs) {
      const auto seed = random_values<double>(g.edges[e].elements(), 11 + e);
      const std::vector<float> seed_f(seed.begin(), seed.end());
      one.program->seed(e, seed_f.data()), ref.program->seed(e, seed.data());
    }
    one.program->backward(step), ref.program->backward(step);
    if (opts.input_grad) CHECK(distance(one.input_gradient(), ref.input_gradient()) < opts.tolerance);
  }
  for (int i = 0; i < ref.store.size(); ++i) {
    CAPTURE(ref.store.spec(i).name);
    if (!ref.store.spec(i).trained)
      CHECK(distance(one.store.read(i), ref.store.read(i)) < opts.tolerance);
    else if (opts.training && opts.backward)
      CHECK(distance(one.gradient(i), ref.gradient(i)) < opts.tolerance);
  }
}

/// Padding is zero wherever layouts have some, and packing what was unpacked gives the same bits.
inline void check_padding(const Layout* layout, const std::byte* stored, std::size_t plain_elements) {
  if (!layout || !stored) return;
  std::vector<float> plain(plain_elements), again(layout->bytes() / sizeof(float), 1.f);
  layout->unpack(stored, plain.data());
  layout->pack(plain.data(), again.data());
  CHECK(std::memcmp(again.data(), stored, again.size() * sizeof(float)) == 0);
}

template <class Net>
void compare(const Net& net, Extent images, CompareOpts opts = {}) {
  Graph g = record(net, images);
  if (opts.fuse) passes::fuse_norm_activation(g);
  ProgramOpts p{.training = opts.training, .input_grad = opts.training && opts.input_grad};
  if (opts.training) p.seeds = g.outputs;
  Side<backend::OneDnn> one(g, p);
  Side<backend::Reference<double>> ref(g, p);
  one.randomise(), ref.randomise();
  run_and_compare(one, ref, opts);
  if (opts.fold) {  // against the norms that are not folded
    passes::fold_batch_norm(g);
    Side<backend::OneDnn> folded(g, {}, one.store);
    run_and_compare(folded, ref, opts);
  }
  const auto& low = one.program->lowered();
  for (int e : g.outputs) check_padding(low.value_layout[e].get(), one.program->value_data(e), g.edges[e].elements());
  for (int i = 0; i < one.store.size(); ++i) {
    check_padding(one.store.layouts()[i].get(), one.store.value_data(i), g.params[i].elements());
    if (opts.training && opts.backward)
      check_padding(one.store.layouts()[i].get(), one.store.grad_data(i), g.params[i].elements());
  }
}

}  // namespace onednn_test
