#pragma once
/// \file
/// A gate that a program chooses at run time.

#include "moecnn/moe/gate_conv.hpp"
#include "moecnn/moe/gate_unlearned.hpp"

#include <array>

namespace moecnn::gate {

struct Any {
  enum class Kind : unsigned char {
    gap,
    conv,
    relu_gap,
    conv_gap,
    double_conv_gap,
    triple_conv_gap,
    deterministic,
    single_entry,
    random
  } kind = Kind::gap;

  /// In the order of Kind.
  static constexpr std::array<std::string_view, 9> names{
      "gap", "conv", "relu-gap", "conv-gap", "2conv-gap", "3conv-gap", "deterministic", "single-entry", "random"};

  bool takes_noise() const { return kind != Kind::random; }

  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    const auto as = [&](const auto& gate) { return gate.template wire<N, C>(g, x, experts); };
    switch (kind) {
      case Kind::gap: break;
      case Kind::conv: return as(ConvGapLinear{});
      case Kind::relu_gap: return as(ReluGapLinear{});
      case Kind::conv_gap: return as(ConvGap{});
      case Kind::double_conv_gap: return as(DoubleConvGap{});
      case Kind::triple_conv_gap: return as(TripleConvGap{});
      case Kind::deterministic: return as(Deterministic{});
      case Kind::single_entry: return as(SingleEntry{});
      case Kind::random: return as(Random{});
    }
    return as(GapLinear{});
  }
};

/// The gate with this name. Throws Error listing the names otherwise.
inline Any by_name(std::string_view name) {
  std::string all;
  for (std::size_t i = 0; i < Any::names.size(); ++i) {
    if (name == Any::names[i]) return {static_cast<Any::Kind>(i)};
    all += (i ? ", " : "") + std::string(Any::names[i]);
  }
  fail("no gate is called \"{}\"; choose one of {}", name, all);
}

}  // namespace moecnn::gate
