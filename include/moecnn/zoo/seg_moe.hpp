#pragma once
/// \file
/// Mixtures that replace convolutions of a segmentation network. All of it is chosen at run time, so a study program
/// compiles each network once. A network lists its candidates, the convolutions that may be replaced, and wires them through
/// Mixtures.

#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/patch_moe.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace moecnn {

/// Which candidates become mixtures; with several layers, the last ones or the first ones.
enum class Placement : unsigned char { encoder_last, decoder_first, decoder_last };

/// In the order of Placement.
inline constexpr std::array<std::string_view, 3> placement_names{"encoder-last", "decoder-first", "decoder-last"};

/// The placement with this name. Throws Error listing the names otherwise.
inline Placement placement_by_name(std::string_view name) {
  for (std::size_t i = 0; i < placement_names.size(); ++i)
    if (name == placement_names[i]) return static_cast<Placement>(i);
  fail("no placement is called \"{}\"; choose encoder-last, decoder-first or decoder-last", name);
}

/// The mixture that replaces a convolution of a network. The defaults are the reference configuration of the
/// segmentation study, 8 experts of which 2 serve each patch of a 3×3 grid, but switched off. The gate's convolutions
/// have no padding: n of them need patches of 2 n + 1 pixels, halo included; smaller patches are an error.
struct SegMoE {
  bool on = false;
  Placement placement = Placement::decoder_last;
  int layers = 1;  ///< how many convolutions, 1 to 3; each gets a mixture of its own with these settings
  PatchOpts patches{};
  int experts = 8;
  TopK<dynamic> router{.k = 2, .weights = Weights::renormalised, .noise = Noise::none};
  gate::Any gate{gate::Any::Kind::double_conv_gap};
  balance::Any balance = balance::Entropy{};
  Beside beside = Beside::nothing;
};

/// A network's convolutions that may become mixtures, by name, in the order in which a placement takes them. An empty
/// name ends a list.
struct Candidates {
  std::string_view net;
  std::array<std::string_view, 3> encoder_last, decoder_first, decoder_last;

  const std::array<std::string_view, 3>& at(Placement p) const {
    return p == Placement::encoder_last ? encoder_last : p == Placement::decoder_first ? decoder_first : decoder_last;
  }
};

/// The candidates that were chosen, for a network that is being wired.
class Mixtures {
 public:
  /// Names count from the scope that `g` is in now.
  Mixtures(const Recorder& g, const SegMoE& moe, const Candidates& candidates) : moe_(moe) {
    if (!moe.on) return;
    const auto& names = candidates.at(moe.placement);
    const auto most = std::find(names.begin(), names.end(), std::string_view()) - names.begin();
    check(moe.layers >= 1 && moe.layers <= most,
          "{} has {} convolution(s) for the placement {}, not {}; choose 1 to {}", candidates.net, most,
          placement_names[static_cast<std::size_t>(moe.placement)], moe.layers, most);
    const std::string prefix = g.path().empty() ? "" : g.path() + '.';
    for (int i = 0; i < moe.layers; ++i) chosen_.push_back(prefix + std::string(names[static_cast<std::size_t>(i)]));
  }

  /// The convolution `name` of the current scope, or the mixture in its place: `name.gate.…`, `name.experts.E.…`.
  template <int In, int Out, ConvOpts O>
  Value<Out> conv(Recorder& g, std::string_view name, const Conv<In, Out, O>& plain, Value<In> x) const {
    const std::string path = g.path().empty() ? std::string(name) : g.path() + '.' + std::string(name);
    if (std::find(chosen_.begin(), chosen_.end(), path) == chosen_.end()) return g(name, plain, x);
    const PatchMoE<Conv<In, Out, O>, dynamic, TopK<dynamic>, gate::Any, balance::Any> mixture{.patches = moe_.patches,
                                                                                              .router = moe_.router,
                                                                                              .gate = moe_.gate,
                                                                                              .balance = moe_.balance,
                                                                                              .beside = moe_.beside,
                                                                                              .experts = moe_.experts};
    return g(name, mixture, x);
  }

 private:
  SegMoE moe_;
  std::vector<std::string> chosen_;
};

/// Has the same verb and never replaces a convolution: for blocks without candidates, which then cost no compile time.
struct NoMixtures {
  template <int In, int Out, ConvOpts O>
  Value<Out> conv(Recorder& g, std::string_view name, const Conv<In, Out, O>& plain, Value<In> x) const {
    return g(name, plain, x);
  }
};

}  // namespace moecnn
