#pragma once
/// \file
/// How a pass of a convolution has one of its maps: as the edge is stored, in the other order of channels, in phases, or
/// longer.

#include "moecnn/backend/host/convert_rows.hpp"
#include "moecnn/backend/onednn/lanes.hpp"
#include "moecnn/backend/onednn/layout.hpp"

namespace moecnn::onednn {

namespace detail {

/// A map of `h`×`w` pixels and its phases, each of `part` pixels: pixel (y, x) belongs to phase (y mod step.h, x mod
/// step.w). A row's phases lie one after the other, each with all its blocks of channels.
struct Phases {
  int h = 0, w = 0;
  Size2 step = 1, part = 0;
  friend bool operator==(const Phases&, const Phases&) = default;
};

/// Calls `visit(row, block, pixel, place)` for every pixel of all phases: the pixel that it is in the map, or -1 beyond
/// it, and its place among the pixels of all blocks.
template <class F>
void for_each_in_phases(int rows, int blocks, const Phases& ph, const F& visit) {
  const int padded_h = ph.part.h * ph.step.h;
  [[maybe_unused]] const long long numbers = 1LL * rows * blocks * padded_h * ph.part.w * ph.step.w * channel_block();
#pragma omp parallel for collapse(3) if (worth_sharing(numbers))
  for (int r = 0; r < rows; ++r)
    for (int b = 0; b < blocks; ++b)
      for (int y = 0; y < padded_h; ++y)
        for (int phase = 0; phase < ph.step.w; ++phase) {
          const long long at = (1LL * r * ph.step.h + y % ph.step.h) * ph.step.w + phase;
          const long long begin = ((at * blocks + b) * ph.part.h + y / ph.step.h) * ph.part.w;
          for (int q = 0; q < ph.part.w; ++q) {
            const int x = q * ph.step.w + phase;
            visit(r, b, y < ph.h && x < ph.w ? 1LL * y * ph.w + x : -1, begin + q);
          }
        }
}

/// Rows of a map to blocked parts, with zeros in channels and pixels that the map does not have.
template <int B, class S>
void to_phases(const S* map, bool blocked, int rows, int channels, const Phases& ph, float* parts) {
  const int blocks = round_up(channels, B) / B;
  const long long pixels = 1LL * ph.h * ph.w;
  for_each_in_phases(rows, blocks, ph, [=](int r, int b, long long p, long long to) {
    Lanes<B> v{};
    if (p >= 0 && blocked) {
      load<B>(map + ((1LL * r * blocks + b) * pixels + p) * B, v);
    } else if (p >= 0) {
      const S* x = map + (1LL * r * channels + b * B) * pixels + p;
      for (int l = 0; l < std::min(B, channels - b * B); ++l) v[l] = x[l * pixels];
    }
    lanes<B>(parts + to * B).v = v;
  });
}

/// The way back; what the map does not have is dropped.
template <int B, class S>
void from_phases(const float* parts, bool blocked, int rows, int channels, const Phases& ph, S* map) {
  const int blocks = round_up(channels, B) / B;
  const long long pixels = 1LL * ph.h * ph.w;
  for_each_in_phases(rows, blocks, ph, [=](int r, int b, long long p, long long from) {
    if (p < 0) return;
    const Lanes<B> v = lanes<B>(parts + from * B).v;
    if (blocked) {
      store<B>(map + ((1LL * r * blocks + b) * pixels + p) * B, v);
    } else {
      S* y = map + (1LL * r * channels + b * B) * pixels + p;
      for (int l = 0; l < std::min(B, channels - b * B); ++l) y[l * pixels] = S(v[l]);
    }
  });
}

}  // namespace detail

/// One map of a convolution node in one of its passes.
class PassMap {
 public:
  PassMap() = default;
  /// `blocked`: as the pass wants its channels. Its map has `part` pixels; if these are not the edge's it is blocked.
  PassMap(const Edge& e, bool stored_blocked, bool blocked, Size2 phases, const Extent& part)
      : channels_(e.channels),
        from_(stored_blocked),
        to_(blocked),
        phases_{e.extent.h, e.extent.w, phases, {part.h, part.w}} {}

  /// Whether the pass cannot use the edge's memory.
  bool converts() const { return from_ != to_ || other_pixels(); }
  bool other_pixels() const { return phases_.step != 1 || phases_.part != Size2(phases_.h, phases_.w); }
  /// Stored numbers of a row of the edge, and of a row as the pass has it.
  long long edge_row() const { return 1LL * phases_.h * phases_.w * (from_ ? padded() : channels_); }
  long long row() const {
    const Size2 n = phases_.step, part = phases_.part;
    return 1LL * n.h * n.w * part.h * part.w * (to_ ? padded() : channels_);
  }

  /// Rows of the edge, of type S, as the pass has them, and back; also where it could use the edge's memory but for S.
  template <class S>
  void from_edge(const S* stored, float* own, int rows) const {
    if (!other_pixels()) return change(stored, from_, to_, own, rows);
    with_channel_block(
        [&](auto block) { detail::to_phases<block.value>(stored, from_, rows, channels_, phases_, own); });
  }
  template <class S>
  void to_edge(const float* own, S* stored, int rows) const {
    if (!other_pixels()) return change(own, to_, from_, stored, rows);
    with_channel_block(
        [&](auto block) { detail::from_phases<block.value>(own, from_, rows, channels_, phases_, stored); });
  }

  friend bool operator==(const PassMap&, const PassMap&) = default;

 private:
  int padded() const { return round_up(channels_, channel_block()); }
  /// Copies rows into another order of channels, or another type.
  template <class X, class Y>
  void change(const X* x, bool from, bool to, Y* y, int rows) const {
    const long long pixels = 1LL * phases_.h * phases_.w;
    if (from == to)
      host::convert_rows(x, dtype_of<X>, y, dtype_of<Y>,
                         static_cast<std::size_t>(rows * pixels * (from ? padded() : channels_)));
    else if (from)
      from_blocks(x, y, rows, channels_, pixels, channel_block());
    else
      to_blocks(x, y, rows, channels_, pixels, channel_block());
  }

  int channels_ = 0;
  bool from_ = false, to_ = false;
  detail::Phases phases_;
};

}  // namespace moecnn::onednn
