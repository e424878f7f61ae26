#pragma once
/// \file
/// Several random numbers in a row for one image.

#include "moecnn/core/rng.hpp"

namespace moecnn::data {

/// Reads the numbers of `rng` at one index one after the other. Each takes 32 bits, which is plenty for pictures.
class Draws {
 public:
  /// `lane` is the first lane read; four numbers use one lane.
  Draws(const Rng& rng, std::uint64_t index, std::uint32_t lane = 0) : rng_(rng), index_(index), lane_(lane) {}

  std::uint32_t word() {
    if (used_ == 4) {
      words_ = rng_.words(index_, lane_++);
      used_ = 0;
    }
    return words_[used_++];
  }
  /// In [low, high).
  float uniform(float low, float high) {
    return low + (high - low) * (static_cast<float>(word() >> 8) * 0x1.0p-24f);  // 24 bits: never rounds up to 1
  }
  /// In 0 … n-1.
  int below(int n) {
    return static_cast<int>((static_cast<std::uint64_t>(word()) * static_cast<std::uint32_t>(n)) >> 32);
  }

 private:
  Rng rng_;
  std::uint64_t index_;
  std::uint32_t lane_;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
};

}  // namespace moecnn::data
