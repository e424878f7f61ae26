#pragma once
/// \file
/// Mixtures in the heads of RetinaNet, as in the detection study. All of it is chosen at run time, so a program
/// compiles each network once.

#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/zoo/retina_head.hpp"

#include <array>

namespace moecnn {

/// Where the experts are.
enum class HeadMixture : unsigned char {
  none,
  two_block,  ///< complete heads; regressor and classifier have a gate each
  single,     ///< complete heads; one gate for both. Only the regressor's weights are in the balance loss
  conv4       ///< the fourth convolution of each head, with a gate each on what the third gives
};

/// In the order of HeadMixture.
inline constexpr std::array<std::string_view, 4> head_mixture_names{"none", "2block", "single", "conv4"};

/// The kind with this name. Throws Error listing the names otherwise.
inline HeadMixture head_mixture_by_name(std::string_view name) {
  for (std::size_t i = 0; i < head_mixture_names.size(); ++i)
    if (name == head_mixture_names[i]) return static_cast<HeadMixture>(i);
  fail("no mixture of RetinaNet is called \"{}\"; choose none, 2block, single or conv4", name);
}

/// A mixture for RetinaNet's heads. Every level and image is routed by itself; the balance loss of a head counts the
/// rows of all levels together, and a constraint goes on level by level. The defaults are the study's, but switched
/// off.
struct RetinaMoE {
  HeadMixture kind = HeadMixture::none;
  int experts = 4;
  TopK<dynamic> router{.k = 2, .weights = Weights::renormalised, .noise = Noise::learned};
  gate::Any gate{gate::Any::Kind::conv};
  balance::Any balance = balance::KlDivergence{.weight = 0.25};
  constraint::Any constraint{};
  retinanet::HeadStart start = retinanet::HeadStart::kaiming;  ///< of experts that are complete heads

  template <class Expert, class Gate>
  using Mixture = MoE<Expert, dynamic, TopK<dynamic>, Gate, balance::Any, constraint::Any>;

  /// The mixture of these experts.
  template <class Gate, class Expert>
  Mixture<Expert, Gate> of(const Expert& expert, const Gate& by) const {
    return {.router = router,
            .gate = by,
            .balance = balance,
            .constraint = constraint,
            .expert = expert,
            .experts = experts};
  }
  /// Whether its gate has weights for noise.
  bool noisy() const { return router.noise == Noise::learned && !constraint.active && experts > 1; }
};

namespace retinanet {

/// A mixture in place of the fourth convolution: `conv4.gate.…`, `conv4.experts.E.…`.
struct MixedFourth {
  const RetinaMoE& moe;

  Value<width> operator()(Recorder& g, const Conv<width, width, square>& conv, Value<width> x) const {
    return g("conv4", moe.of(conv, moe.gate), x);
  }
};

/// One map per level of the pyramid, P3 to P7.
template <int C>
using Levels = std::array<Value<C>, 5>;

/// The heads on all levels: first the regressor's, then the classifier's.
template <int Classes>
class Heads {
 public:
  Heads(const RetinaMoE& moe, HeadStart start) : moe_(moe) {
    const HeadStart first = expert() ? moe.start : start;
    regressor_ = {.end = HeadEnd::deltas, .start = first};
    classifier_ = {.end = HeadEnd::probabilities, .start = first};
  }

  void wire(Recorder& g, const Levels<width>& pyramid, Levels<4 * anchors>& deltas,
            Levels<Classes * anchors>& scores) const {
    std::array<gate::Shared<dynamic>, 5> gates;
    if (moe_.kind == HeadMixture::single)
      for (std::size_t l = 0; l < gates.size(); ++l) gates[l] = shared_gate(g, pyramid[l]);
    RetinaMoE by_classes = moe_;
    if (moe_.kind == HeadMixture::single) by_classes.balance = balance::None{};
    on_levels(g, "regressionModel", regressor_, moe_, pyramid, gates, deltas);
    on_levels(g, "classificationModel", classifier_, by_classes, pyramid, gates, scores);
  }

 private:
  bool expert() const { return moe_.kind == HeadMixture::two_block || moe_.kind == HeadMixture::single; }

  template <class H, int C>
  static void on_levels(Recorder& g, const char* name, const H& head, const RetinaMoE& moe,
                        const Levels<width>& pyramid, const std::array<gate::Shared<dynamic>, 5>& gates,
                        Levels<C>& out) {
    const auto group = g.balance_together();
    for (std::size_t l = 0; l < out.size(); ++l) switch (moe.kind) {
        case HeadMixture::none: out[l] = g(name, head, pyramid[l]); break;
        case HeadMixture::two_block: out[l] = g(name, moe.of(head, moe.gate), pyramid[l]); break;
        case HeadMixture::single: out[l] = g(name, moe.of(head, gates[l]), pyramid[l]); break;
        case HeadMixture::conv4: out[l] = g(name, head, pyramid[l], MixedFourth{moe}); break;
      }
  }

  /// The gate of both heads has the regressor's name: `regressionModel.gate.…`.
  gate::Shared<dynamic> shared_gate(Recorder& g, Value<width> x) const {
    const auto scope = g.scope("regressionModel");
    const auto [logits, noise] = gate_scores<dynamic>(g, moe_.gate, x, moe_.experts, moe_.noisy());
    return {logits, noise, g.path()};
  }

  RetinaMoE moe_;
  Head<4 * anchors> regressor_;
  Head<Classes * anchors> classifier_;
};

}  // namespace retinanet
}  // namespace moecnn
