// A mixture over patches: what one expert, equal experts and every grid must give.
#include "moecnn/moe/patch_moe.hpp"

#include "moe/mixture_nets.hpp"
#include "moecnn/graph/passes/mix_linear_experts.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;

namespace {

using Reference = backend::Reference<double>;
using K3 = Conv<3, 4, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>;
using K13 = Conv<3, 4, ConvOpts{.kernel = {1, 3}, .pad = {0, 1}}>;
using Dilated = Conv<3, 4, ConvOpts{.kernel = 3, .pad = 2, .dilation = 2}>;
using K1 = Conv<3, 4, ConvOpts{.bias = true}>;

template <class Expert>
using AnyPatches = PatchMoE<Expert, dynamic, TopK<dynamic>, gate::Any, balance::Any, constraint::Any>;

template <class Expert>
AnyPatches<Expert> patches(const Choice& c, PatchOpts p, Beside beside = Beside::nothing) {
  return {.patches = p,
          .router = c.router,
          .gate = c.gate,
          .balance = c.balance,
          .constraint = c.constraint,
          .beside = beside,
          .experts = c.experts};
}

/// Result, image gradient and the gradient of a convolution's parameters, of which each expert has a part.
struct Sums {
  std::vector<double> result, input_grad, weight_grad;
};

template <class Net>
Sums sums(const Net& net, Extent images) {
  const Graph g = record(net, images);
  test::Rig<Reference> rig;
  auto& program = rig.add_training(g);
  test::fill(rig.store, 1);
  const Rng rng(7, Purpose::other);
  for (int i = 0; i < rig.store.size(); ++i) {  // the same convolution everywhere
    const std::string& name = rig.store.spec(i).name;
    if (name.find("gate.") != std::string::npos) continue;
    std::vector<double> v(rig.store.spec(i).elements());
    for (std::size_t j = 0; j < v.size(); ++j) v[j] = rng.normal(j + (name.ends_with("bias") ? 1000 : 0));
    rig.store.write(i, v.data());
  }
  const auto out = test::run(rig, program, test::random_batch(g, 1), {.training = true});
  Sums s{out.result, out.input_grad, {}};
  for (int i = 0; i < rig.store.size(); ++i) {
    const std::string& name = rig.store.spec(i).name;
    if (name.find("gate.") != std::string::npos || !name.ends_with("weight")) continue;
    s.weight_grad.resize(out.param_grad[i].size());
    for (std::size_t j = 0; j < s.weight_grad.size(); ++j) s.weight_grad[j] += out.param_grad[i][j];
  }
  return s;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double d = 0;
  for (std::size_t i = 0; i < a.size(); ++i) d = std::max(d, std::abs(a[i] - b[i]));
  return d;
}

template <class Expert>
void same_as_plain(const Choice& c) {
  for (const Extent images : {Extent{2, 7, 5}, Extent{1, 6, 8}, Extent{2, 12, 12}}) {
    const Sums plain = sums(Bare<Expert>{}, images);
    for (const PatchOpts p :
         {PatchOpts{.grid = 1}, PatchOpts{.grid = 2}, PatchOpts{.grid = 3}, PatchOpts{.grid = {5, 1}},
          PatchOpts{.grid = 4}, PatchOpts{.size = {4, 3}}, PatchOpts{.size = 16}}) {
      CAPTURE(images.h);
      CAPTURE(p.grid.h);
      CAPTURE(p.size.h);
      const Sums ours = sums(Bare<AnyPatches<Expert>>{patches<Expert>(c, p)}, images);
      CHECK(distance(plain.result, ours.result) < 1e-12);
      CHECK(distance(plain.weight_grad, ours.weight_grad) < 1e-10);
      // The gate's own gradient reaches the images only where experts differ.
      CHECK(distance(plain.input_grad, ours.input_grad) < 1e-10);
    }
  }
}

}  // namespace

TEST_CASE("one expert on patches is the plain convolution, for every grid, size and window") {
  const Choice one{.experts = 1, .router = top(1)};
  same_as_plain<K3>(one);
  same_as_plain<K13>(one);
  same_as_plain<Dilated>(one);
  same_as_plain<K1>(one);
}

TEST_CASE("equal experts on patches are the plain convolution") {
  for (const int k : {2, 3}) {
    const Choice three{.experts = 3, .router = top(k, Weights::renormalised, Noise::none)};
    same_as_plain<K3>(three);
    same_as_plain<Dilated>(three);
  }
}

TEST_CASE("patches: gradients of every gate, router and balance, with and without a layer beside") {
  const Extent images{2, 7, 8};
  for (const auto name : gate::Any::names) {
    CAPTURE(name);
    Choice c{.experts = 3, .router = top(2, Weights::renormalised, Noise::none), .gate = gate::by_name(name)};
    c.balance = balance::Entropy{};
    const bool large = name.find("conv") != std::string_view::npos;
    const PatchOpts p{.grid = large ? 1 : 2};
    CHECK(test::check_net(Bare<AnyPatches<K3>>{patches<K3>(c, p)}, images) == "");
  }
  const Choice raw{.experts = 3, .router = top(1, Weights::raw), .balance = balance::Switch{}};
  CHECK(test::check_net(Bare<AnyPatches<K3>>{patches<K3>(raw, {.grid = 3}, Beside::shared)}, images) == "");
  using Square = Conv<3, 3, ConvOpts{.kernel = 3, .pad = 1}>;
  CHECK(test::check_net(Bare<AnyPatches<Square>>{patches<Square>(raw, {.grid = 3}, Beside::input)}, images) == "");
  CHECK_THROWS_AS(record(Bare<AnyPatches<K3>>{patches<K3>(raw, {.grid = 3}, Beside::input)}, images), Error);
}

TEST_CASE("patches: each patch of each image is one row for the router") {
  const Choice c{.experts = 4, .router = top(2)};
  const Graph g = record(Bare<AnyPatches<K3>>{patches<K3>(c, {.grid = 3})}, {2, 12, 9});
  REQUIRE(g.routings.size() == 1);
  CHECK(g.routings[0].rows == 2 * 9);
  const Graph no_phantoms = record(Bare<AnyPatches<K3>>{patches<K3>(c, {.grid = 4})}, {1, 5, 5});
  CHECK(no_phantoms.routings[0].rows == 9);  // 4 patches of 2 pixels would reach beyond 5 pixels
}

TEST_CASE("patches: parameters of the study's layers") {
  using Layer = PatchConvMoE<256, 256, ConvOpts{.kernel = 3, .pad = 1}, 8, TopK<2, RouterOpts{.noise = Noise::none}>,
                             gate::DoubleConvGap>;
  const long long expert = 589824, gate = 19024;
  CHECK(parameter_count(record(Bare<Layer>{}, {1, 30, 30})) - expert == 4147792);  // DeepLabv3+: +10.279 %
  CHECK(expert + gate == 608848);                                                  // activated: +1.509 %
}
