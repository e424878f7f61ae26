#pragma once
/// \file
/// Counter-based random numbers (Philox 4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011). A number is a pure function of (seed, purpose, step, index), so results do not depend on the number of
/// threads, on the order of calls or on the point from which a run was resumed.

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace moecnn {

/// Purpose of a stream of random numbers. Streams of different purpose are independent.
enum class Purpose : std::uint32_t { init = 1, shuffle, augment, gate_noise, dropout, synthetic, other, random_gate };

/// FNV-1a, 64 bit: turns a parameter's or layer's name into a stream number that is the same on every machine.
constexpr std::uint64_t hash_name(std::string_view name) {
  std::uint64_t h = 14695981039346656037ull;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}

/// One round of Philox 4x32, and the key of the next one.
constexpr void philox_round(std::uint32_t& c0, std::uint32_t& c1, std::uint32_t& c2, std::uint32_t& c3,
                            std::array<std::uint32_t, 2> key) {
  const std::uint64_t a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
  c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ key[0];
  c1 = static_cast<std::uint32_t>(b);
  c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ key[1];
  c3 = static_cast<std::uint32_t>(a);
}
constexpr std::array<std::uint32_t, 2> next_philox_key(std::array<std::uint32_t, 2> key) {
  return {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
}

/// Ten rounds of Philox 4x32.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round, key = next_philox_key(key))
    philox_round(counter[0], counter[1], counter[2], counter[3], key);
  return counter;
}

/// A stream of random numbers: `Rng(seed, Purpose::augment, epoch)` read at any index, in any order.
class Rng {
 public:
  /// `stream` separates users of one purpose: an epoch, a step, or the hash of a name (folded into the key).
  constexpr Rng(std::uint64_t seed, Purpose purpose, std::uint64_t stream = 0)
      : key_{static_cast<std::uint32_t>(seed) ^ static_cast<std::uint32_t>(stream >> 32) * 0x85EBCA6Bu,
             static_cast<std::uint32_t>(seed >> 32) ^ (static_cast<std::uint32_t>(purpose) * 0x9E3779B1u)},
        stream_{static_cast<std::uint32_t>(stream)} {}

  /// Four independent 32-bit words for position `index`; `lane` gives further independent words at that position.
  constexpr std::array<std::uint32_t, 4> words(std::uint64_t index, std::uint32_t lane = 0) const {
    return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), lane, stream_}, key_);
  }

  /// The words for as many positions from `index` on as there is room for; word w of the i-th is `result[w][i]`.
  template <std::size_t n>
  void words(std::uint64_t index, std::array<std::array<std::uint32_t, n>, 4>& result) const {
    for (std::size_t i = 0; i < n; ++i) {
      result[0][i] = static_cast<std::uint32_t>(index + i);
      result[1][i] = static_cast<std::uint32_t>((index + i) >> 32);
      result[2][i] = 0;
      result[3][i] = stream_;
    }
    std::uint32_t *c0 = result[0].data(), *c1 = result[1].data(), *c2 = result[2].data(), *c3 = result[3].data();
    auto key = key_;
    for (int round = 0; round < 10; ++round, key = next_philox_key(key)) {
#pragma omp simd
      for (std::size_t i = 0; i < n; ++i) philox_round(c0[i], c1[i], c2[i], c3[i], key);
    }
  }

  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform(std::uint64_t index, std::uint32_t lane = 0) const {
    const auto w = words(index, lane);
    return to_unit(w[0], w[1]);
  }

  /// Uniform integer in [0, n). The bias of the multiplication is below n / 2^64.
  constexpr std::uint64_t below(std::uint64_t n, std::uint64_t index, std::uint32_t lane = 0) const {
    const auto w = words(index, lane);
    // The high word of the 128-bit product x · n, from 32-bit halves.
    const std::uint64_t low = w[1] * (n & 0xFFFFFFFFu), mid1 = w[0] * (n & 0xFFFFFFFFu), mid2 = w[1] * (n >> 32);
    const std::uint64_t carry = ((low >> 32) + (mid1 & 0xFFFFFFFFu) + (mid2 & 0xFFFFFFFFu)) >> 32;
    return w[0] * (n >> 32) + (mid1 >> 32) + (mid2 >> 32) + carry;
  }

  /// Standard normal (Box-Muller).
  double normal(std::uint64_t index, std::uint32_t lane = 0) const {
    const auto w = words(index, lane);
    const double u = 1.0 - to_unit(w[0], w[1]);  // in (0, 1]: the logarithm stays finite
    const double v = to_unit(w[2], w[3]);
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586476925 * v);
  }

 private:
  static constexpr double to_unit(std::uint32_t hi, std::uint32_t lo) {
    return static_cast<double>(((static_cast<std::uint64_t>(hi) << 32) | lo) >> 11) * 0x1.0p-53;
  }

  std::array<std::uint32_t, 2> key_;
  std::uint32_t stream_;
};

}  // namespace moecnn
