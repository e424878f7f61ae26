#pragma once
/// \file
/// One pixel of a channel block as one value. The compiler makes of it whatever vectors the target has, so these
/// kernels need no -O3 and no -march to be right, and both of them to be fast.

#include "moecnn/backend/host/node_kernel.hpp"

#include <cstdint>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace moecnn::onednn {

namespace detail {

template <int B>
struct LanesOf {
  using type [[gnu::vector_size(B * sizeof(float))]] = float;
  using bits [[gnu::vector_size(B * sizeof(int))]] = int;
  using words [[gnu::vector_size(B * sizeof(std::uint32_t))]] = std::uint32_t;
  using halves [[gnu::vector_size(B * sizeof(std::uint16_t))]] = std::uint16_t;
};

}  // namespace detail

/// A variable, in a register if there is one.
template <int B>
using Lanes = typename detail::LanesOf<B>::type;

/// In memory, at any address. (A vector type of less alignment would do for GCC; Clang forgets that in templates.)
template <int B>
struct [[gnu::packed, gnu::may_alias]] LanesInMemory {
  Lanes<B> v;
};

template <int B>
LanesInMemory<B>& lanes(float* p) {
  return *reinterpret_cast<LanesInMemory<B>*>(p);
}
template <int B>
const LanesInMemory<B>& lanes(const float* p) {
  return *reinterpret_cast<const LanesInMemory<B>*>(p);
}

/// The lanes at an address as floats, and back: bf16 is widened, and rounded as Bf16 does it. (CPUs return so long a
/// vector in different ways, so none is returned.)
template <int B>
void load(const float* p, Lanes<B>& v) {
  v = lanes<B>(p).v;
}
template <int B>
void store(float* p, const Lanes<B>& v) {
  lanes<B>(p).v = v;
}
template <int B>
void load(const Bf16* p, Lanes<B>& v) {
  typename detail::LanesOf<B>::halves h;
  std::memcpy(&h, p, sizeof h);
  const auto wide = __builtin_convertvector(h, typename detail::LanesOf<B>::words) << 16;
  v = reinterpret_cast<Lanes<B>>(wide);
}
template <int B>
void store(Bf16* p, const Lanes<B>& v) {
  using Words = typename detail::LanesOf<B>::words;
  const Words u = reinterpret_cast<Words>(v);
  const Words rounded = (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;
  const auto h =
      __builtin_convertvector((u & 0x7FFF'FFFFu) > 0x7F80'0000u ? quiet : rounded, typename detail::LanesOf<B>::halves);
  std::memcpy(static_cast<void*>(p), &h, sizeof h);
}

/// One bit per lane.
using LaneMask = std::uint16_t;

/// Which lanes are greater than zero.
template <int B>
LaneMask positive(const Lanes<B>& v) {
#ifdef __AVX512F__
  if constexpr (B == 16) return _mm512_cmp_ps_mask(reinterpret_cast<const __m512&>(v), __m512{}, _CMP_GT_OQ);
#endif
  unsigned bits = 0;
  for (int l = 0; l < B; ++l) bits |= static_cast<unsigned>(v[l] > 0.f) << l;
  return static_cast<LaneMask>(bits);
}

/// Sets the lanes whose bit is not set to zero.
template <int B>
void clear_others(Lanes<B>& v, LaneMask mask) {
  typename detail::LanesOf<B>::bits bit;
  for (int l = 0; l < B; ++l) bit[l] = 1 << l;
  v = (bit & static_cast<int>(mask)) != 0 ? v : Lanes<B>{};
}

/// Writes past the caches, for maps that are larger than those: the line need not be read before it is overwritten.
template <int B>
void stream_out(float* p, const Lanes<B>& v) {
#ifdef __AVX512F__
  if constexpr (B == 16) return _mm512_stream_ps(p, reinterpret_cast<const __m512&>(v));
#endif
  lanes<B>(p).v = v;
}

template <int B>
void stream_out(Bf16* p, const Lanes<B>& v) {
  store<B>(p, v);
}

/// Pixels whose sums are kept in float before they are added to doubles.
inline constexpr long long float_run = 512;

namespace detail {

/// Numbers of a vector of the CPU that the program is compiled for.
#if defined(__AVX512F__)
inline constexpr int vector_floats = 16;
#elif defined(__AVX__)
inline constexpr int vector_floats = 8;
#else
inline constexpr int vector_floats = 4;
#endif

/// sums[B] += the pixels of a block.
template <int B>
void sum_pixels(const float* x, long long pixels, double* sums) {
  for (long long p = 0; p < pixels;) {
    const long long end = std::min(pixels, p + float_run);
    Lanes<B> run{};
    for (; p < end; ++p) run += lanes<B>(x + p * B).v;
    for (int l = 0; l < B; ++l) sums[l] += run[l];
  }
}

}  // namespace detail

}  // namespace moecnn::onednn
