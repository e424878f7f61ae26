#pragma once
/// \file
/// Which elements a dropout sets to zero: a pure function of seed, step, name and element, so that it need not be stored
/// and does not depend on threads or layouts.

#include "moecnn/core/rng.hpp"

namespace moecnn {

/// Element i is kept with probability 1 - p. One call of the generator decides on four elements.
class DropoutMask {
 public:
  /// `stream`: the hash of the layer's name.
  DropoutMask(double p, std::uint64_t seed, std::uint64_t stream, std::uint64_t step)
      : rng_(seed, Purpose::dropout, stream + step), dropped_below_(static_cast<std::uint64_t>(p * 0x1p32)) {}

  bool keeps(std::uint64_t i) const { return keeps(rng_.words(i / 4), i); }

  /// Calls `visit(i, kept)` for i in [begin, end).
  template <class F>
  void for_each(std::uint64_t begin, std::uint64_t end, const F& visit) const {
    if (end - begin < at_once / 4) {
      for (std::uint64_t i = begin; i < end; ++i) visit(i, keeps(i));
      return;
    }
    for (std::uint64_t i = begin; i < end;) {
      const Decisions kept = decide(i / at_once);
      do {
        visit(i, kept[i % at_once] != 0);
      } while (++i < end && i % at_once != 0);
    }
  }

 private:
  bool keeps(const std::array<std::uint32_t, 4>& words, std::uint64_t i) const {
    return words[i % 4] >= dropped_below_;
  }

  static constexpr int calls = 16, at_once = 4 * calls;
  using Decisions = std::array<unsigned char, at_once>;

  /// The decisions for the elements from at_once · n on. The calls of the generator run side by side, so that compilers
  /// vectorise them.
  Decisions decide(std::uint64_t n) const {
    std::array<std::array<std::uint32_t, calls>, 4> words;
    rng_.words(n * calls, words);
    Decisions kept;
    for (int c = 0; c < calls; ++c)
      for (int w = 0; w < 4; ++w) kept[4 * c + w] = words[w][c] >= dropped_below_;
    return kept;
  }

  Rng rng_;
  std::uint64_t dropped_below_;
};

}  // namespace moecnn
