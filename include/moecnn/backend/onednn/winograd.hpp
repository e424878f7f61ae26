#pragma once
#include "moecnn/backend/onednn/conv_problem.hpp"
#include "moecnn/backend/onednn/winograd_loops.hpp"
#include "moecnn/core/threads.hpp"

#include <cstddef>

namespace moecnn::onednn {

/// Whether a convolution has Winograd's form.
inline bool knows_winograd(const ConvProblem& p) {
  const auto& op = p.op;
  const auto fits = [](int kernel, int pad, int dilation) {
    return kernel == winograd::taps ? pad <= (winograd::taps - 1) * dilation : kernel == 1 && pad == 0;
  };
  return op.stride == 1 && op.groups == 1 && op.kernel != 1 && p.src_blocked && p.dst_blocked && p.phases == 1 &&
         fits(op.kernel.h, op.pad.h, op.dilation.h) && fits(op.kernel.w, op.pad.w, op.dilation.w);
}

/// A convolution of stride 1 with a 3×3, 3×1 or 1×3 kernel and any dilation in Winograd's form, by own loops. Maps and
/// weights lie in blocks of B channels (nChw16c and OIhw16i16o, or with 8).
///
/// With few channels, threads take chunks of tiles, so few that what they transform stays in their caches, and all
/// transformed weights are there at once. With many, they take panels of output channels and transform the weights of a
/// panel as they go, for a slice of input channels at a time. Sums over channels are formed in an order that depends on
/// the channels alone, sums over tiles in one that depends on sizes alone: never on the number of threads.
template <int B>
class Winograd {
 public:
  explicit Winograd(const ConvProblem& p)
      : plane_(p.op.kernel == winograd::taps),
        flat_(p.op.kernel.h == 1),
        in_{p.in() / B},
        out_{p.out() / B},
        forward_{{axis(p.op.kernel.h, p.src.h, p.dst.h, p.op.pad.h, p.op.dilation.h),
                  axis(p.op.kernel.w, p.src.w, p.dst.w, p.op.pad.w, p.op.dilation.w)},
                 in_,
                 out_},
        backward_{{forward_.tiling.h.mirrored(), forward_.tiling.w.mirrored()}, out_, in_} {}

  std::size_t scratch_bytes(Pass pass, int rows) const {
    if (pass == Pass::backward_weights) {
      const int n = sums_chunks(rows).most();
      return sizeof(float) * points() * (sums_apart() + apart(n, slice_channels(in_)) + apart(n, out_.count()));
    }
    const Direction& d = pass == Pass::forward ? forward_ : backward_;
    if (many_channels()) {
      const int n = shared_chunks(d, rows).most();
      return sizeof(float) * points() *
             (threads_ * panel_apart(slice_channels(d.from)) + apart(n, slice_channels(d.from)) +
              apart(n, d.to.count()));
    }
    const int n = own_chunks(d, rows).most();
    return sizeof(float) * points() *
           (d.to.panels() * panel_apart(d.from.count()) +
            threads_ * (apart(n, d.from.count()) + apart(n, d.to.count())));
  }

  /// y = act(conv(x, w) + bias + add). `add` may be y; null: none, as is a null bias.
  void forward(const float* x, const float* w, const float* bias, const float* add, bool relu, float* y, int rows,
               float* scratch) const {
    plane_ ? convolve<true, false>(forward_, x, w, {bias, add, relu, y}, rows, scratch)
           : convolve<false, false>(forward_, x, w, {bias, add, relu, y}, rows, scratch);
  }

  /// dx = the gradient of the input + add. `add` may be dx; null: none.
  void backward_data(const float* dy, const float* w, const float* add, float* dx, int rows, float* scratch) const {
    plane_ ? convolve<true, true>(backward_, dy, w, {.add = add, .result = dx}, rows, scratch)
           : convolve<false, true>(backward_, dy, w, {.add = add, .result = dx}, rows, scratch);
  }

  /// dw = the gradient of the weights.
  void backward_weights(const float* x, const float* dy, float* dw, int rows, float* scratch) const {
    plane_ ? sum_kernels<true>(x, dy, dw, rows, scratch) : sum_kernels<false>(x, dy, dw, rows, scratch);
  }

 private:
  static constexpr long long line = 64 / sizeof(float);
  static constexpr long long own_cache = (768 << 10) / sizeof(float);    // numbers that one thread works on at once
  static constexpr long long shared_cache = (12 << 20) / sizeof(float);  // and all of them
  static constexpr long long many_weights = 4 << 20;  // transformed, from which on they are not kept all at once
  static constexpr int slice = 128 / B;  // blocks of input channels that are transformed at once where there are many
  static constexpr int strip = 16;       // tiles that are transformed in one task
  static constexpr int panel = winograd::panel<B>;

  static winograd::Axis axis(int kernel, int from, int to, int pad, int dilation) {
    return {kernel == winograd::taps, from, to, pad, dilation};
  }

  struct Tiling {
    winograd::Axis h, w;

    long long tiles() const { return 1LL * h.tiles() * w.tiles(); }
    long long in_map() const { return 1LL * h.in * w.in * B; }
    long long out_map() const { return 1LL * h.out * w.out * B; }
    /// Calls `visit(i, row, ty, tx)` for tiles [first, first + n) of all rows.
    template <class F>
    void for_each(long long first, int n, const F& visit) const {
      int tx = static_cast<int>(first % w.tiles()), ty = static_cast<int>(first / w.tiles() % h.tiles());
      long long row = first / tiles();
      for (int i = 0; i < n; ++i) {
        visit(i, row, ty, tx);
        if (++tx < w.tiles()) continue;
        tx = 0;
        if (++ty == h.tiles()) ty = 0, ++row;
      }
    }
  };

  /// Channels of one side. A matrix with a column per channel lies in panels of a few blocks, each row after row.
  struct Channels {
    int blocks = 0;

    int count() const { return blocks * B; }
    int panels() const { return pieces(blocks, panel); }
    int blocks_of(int q) const { return std::min(panel, blocks - q * panel); }
    static long long panel_at(int q, long long rows) { return q * rows * panel * B; }
    long long at(int block, long long row, long long rows) const {
      return panel_at(block / panel, rows) + (row * blocks_of(block / panel) + block % panel) * B;
    }
  };

  /// A pass that convolves: forward, or backward to the input's gradient.
  struct Direction {
    Tiling tiling;
    Channels from, to;
  };

  int points() const { return winograd::points * (plane_ ? winograd::points : 1); }
  int window() const { return winograd::taps * (plane_ ? winograd::taps : 1); }
  bool many_channels() const { return 1LL * points() * in_.count() * out_.count() > many_weights; }

  /// Numbers from point to point, with a line between them so that points do not compete for the same places in caches.
  static long long apart(long long tiles, int channels) { return tiles * channels + line; }
  static long long panel_apart(int channels) { return 1LL * channels * panel * B + line; }
  long long sums_apart() const { return 1LL * slice_channels(in_) * out_.count() + line; }
  static int slice_channels(const Channels& c) { return std::min(slice, c.blocks) * B; }

  /// Tiles of all rows, one after the other, in chunks of nearly equal sizes. All but the last hold a multiple of
  /// row_block tiles.
  class Chunks {
   public:
    /// Of about `wanted` tiles; their number is a multiple of `parts`.
    Chunks(long long tiles, long long wanted, int parts)
        : tiles_(tiles),
          blocks_(pieces(static_cast<int>(tiles), winograd::row_block)),
          count_(std::min(blocks_, round_up(pieces(static_cast<int>(tiles), static_cast<int>(wanted)), parts))) {}

    int count() const { return count_; }
    long long first(int i) const { return std::min(tiles_, 1LL * blocks_ * i / count_ * winograd::row_block); }
    int size(int i) const { return static_cast<int>(first(i + 1) - first(i)); }
    /// Room for the largest.
    int most() const { return pieces(blocks_, count_) * winograd::row_block; }

   private:
    long long tiles_;
    int blocks_, count_;
  };
  /// Tiles that a thread takes at once. Each chunk reads all transformed weights.
  Chunks own_chunks(const Direction& d, int rows) const {
    const long long tile = 1LL * points() * (d.from.count() + d.to.count());
    return {d.tiling.tiles() * rows, std::max<long long>(48, own_cache / tile), threads_};
  }
  /// Tiles that all threads take together. Each chunk transforms all weights once more.
  Chunks shared_chunks(const Direction& d, int rows) const {
    const long long tile = 1LL * points() * (slice_channels(d.from) + d.to.count());
    return {d.tiling.tiles() * rows, std::max<long long>(128, shared_cache / tile), 1};
  }
  /// The same for the gradient of the weights, where each chunk adds to all sums.
  Chunks sums_chunks(int rows) const {
    const long long tile = 1LL * points() * (slice_channels(in_) + out_.count());
    return {forward_.tiling.tiles() * rows, std::max<long long>(64, 4 * own_cache / tile), 1};
  }

  /// The first axis of a place is one that is filtered.
  winograd::Place place(const winograd::Span& h, const winograd::Span& w, int width) const {
    return flat_ ? winograd::Place{w, h, 1, width} : winograd::Place{h, w, width, 1};
  }
  winograd::Place input(const Tiling& t, int ty, int tx) const {
    return place(winograd::Span::input(t.h, ty), winograd::Span::input(t.w, tx), t.w.in);
  }
  winograd::Place output(const Tiling& t, int ty, int tx) const {
    return place(winograd::Span::output(t.h, ty), winograd::Span::output(t.w, tx), t.w.out);
  }
  long long kernel_block(int out, int in) const { return (1LL * out * in_.blocks + in) * window() * B * B; }

  /// Transforms tiles [first, first + n) of one block of the input; v: of its first channel.
  template <bool Plane>
  void input_tiles(const Direction& d, const float* x, int block, long long first, int n, float* v, int channels,
                   long long v_apart) const {
    const Tiling& t = d.tiling;
    t.for_each(first, n, [&](int i, long long row, int ty, int tx) {
      winograd::tile_to_points<B, Plane, winograd::InputToPoints>(x + (row * d.from.blocks + block) * t.in_map(),
                                                                  input(t, ty, tx), v + 1LL * i * channels, v_apart);
    });
  }
  /// The way back, to one block of the output; m: of its first channel.
  template <bool Plane>
  void output_tiles(const Direction& d, const float* m, long long m_apart, int block, long long first, int n,
                    const ConvEnd& end) const {
    const Tiling& t = d.tiling;
    t.for_each(first, n, [&](int i, long long row, int ty, int tx) {
      const long long map = (row * d.to.blocks + block) * t.out_map();
      winograd::points_to_tile<B, Plane>(m + 1LL * i * d.to.count(), m_apart, output(t, ty, tx),
                                         {.bias = end.bias ? end.bias + block * B : nullptr,
                                          .add = end.add ? end.add + map : nullptr,
                                          .relu = end.relu,
                                          .result = end.result + map});
    });
  }

  /// Transforms the weights that lead from one block to panel q, of the convolution or, `Mirrored`, of the one that gives
  /// the gradient of the input. u: the block's first row of the panel.
  template <bool Plane, bool Mirrored>
  void kernels(const Direction& d, const float* w, int block, int q, float* u, long long u_apart) const {
    using namespace winograd;
    constexpr int columns = across<Plane>(taps), all = taps * columns;
    const int width = d.to.blocks_of(q);
    for (int next = 0; next < width; ++next) {
      const int to_block = q * panel + next;
      const float* k = w + (Mirrored ? kernel_block(block, to_block) : kernel_block(to_block, block));
      [[maybe_unused]] float turned[Mirrored ? all * B * B : 1];
      if constexpr (Mirrored) {
        for (int t = 0; t < all; ++t) transpose<B>(k + t * B * B, turned + (all - 1 - t) * B * B);
        k = turned;
      }
      for (int l = 0; l < B; ++l) {
        float* to = u + (1LL * l * width + next) * B;
        transform<B, Plane, KernelToPoints>(
            [&](int i, int j) -> Lanes<B> { return lanes<B>(k + ((i * columns + j) * B + l) * B).v; },
            [&](int i, int j, const Lanes<B>& value) {
              lanes<B>(to + (i * across<Plane>(winograd::points) + j) * u_apart).v = value;
            });
      }
    }
  }

  template <bool Plane, bool Mirrored>
  void convolve(const Direction& d, const float* x, const float* w, const ConvEnd& end, int rows,
                float* scratch) const {
    many_channels() ? by_panels<Plane, Mirrored>(d, x, w, end, rows, scratch)
                    : by_tiles<Plane, Mirrored>(d, x, w, end, rows, scratch);
  }

  template <bool Plane, bool Mirrored>
  void by_tiles(const Direction& d, const float* x, const float* w, const ConvEnd& end, int rows, float* u) const {
    const Channels &from = d.from, &to = d.to;
    const Chunks chunks = own_chunks(d, rows);
    const long long u_apart = panel_apart(from.count());
    const long long v_apart = apart(chunks.most(), from.count()), m_apart = apart(chunks.most(), to.count());
    float* rooms = u + points() * to.panels() * u_apart;
#pragma omp parallel num_threads(threads_)
    {
#pragma omp for collapse(2) schedule(static)
      for (int q = 0; q < to.panels(); ++q)
        for (int b = 0; b < from.blocks; ++b)
          kernels<Plane, Mirrored>(d, w, b, q, u + q * points() * u_apart + 1LL * b * B * to.blocks_of(q) * B, u_apart);
      float* v = rooms + thread_number() * points() * (v_apart + m_apart);
      float* m = v + points() * v_apart;
#pragma omp for schedule(static)
      for (int s = 0; s < chunks.count(); ++s) {
        const long long first = chunks.first(s);
        const int n = chunks.size(s);
        for (int b = 0; b < from.blocks; ++b) input_tiles<Plane>(d, x, b, first, n, v + b * B, from.count(), v_apart);
        for (int p = 0; p < points(); ++p)
          for (int q = 0; q < to.panels(); ++q)
            winograd::products<B>(v + p * v_apart, from.count(), 1, round_up(n, winograd::row_block),
                                  u + (q * points() + p) * u_apart, to.blocks_of(q), from.count(),
                                  m + p * m_apart + q * panel * B, to.count(), false);
        for (int b = 0; b < to.blocks; ++b) output_tiles<Plane>(d, m + b * B, m_apart, b, first, n, end);
      }
    }
  }

  template <bool Plane, bool Mirrored>
  void by_panels(const Direction& d, const float* x, const float* w, const ConvEnd& end, int rows, float* v) const {
    const Channels &from = d.from, &to = d.to;
    const Chunks chunks = shared_chunks(d, rows);
    const long long u_apart = panel_apart(slice_channels(from));
    const long long v_apart = apart(chunks.most(), slice_channels(from));
    const long long m_apart = apart(chunks.most(), to.count());
    float *m = v + points() * v_apart, *rooms = m + points() * m_apart;
    const int parts = pieces(threads_, to.panels());  // of a chunk, so that there is work for all threads
#pragma omp parallel num_threads(threads_)
    for (int s = 0; s < chunks.count(); ++s) {
      const long long first = chunks.first(s);
      const int n = chunks.size(s), strips = pieces(n, strip);
      for (int begin = 0; begin < from.blocks; begin += slice) {
        const int blocks = std::min(slice, from.blocks - begin), channels = blocks * B;
#pragma omp for schedule(static)
        for (int task = 0; task < strips * blocks; ++task) {
          const int i = task % strips * strip, b = task / strips;
          input_tiles<Plane>(d, x, begin + b, first + i, std::min(strip, n - i), v + 1LL * i * channels + b * B,
                             channels, v_apart);
        }
#pragma omp for schedule(static)
        for (int task = 0; task < to.panels() * parts; ++task) {
          const int q = task / parts, size = round_up(pieces(n, parts), winograd::row_block), i = task % parts * size;
          if (i >= n) continue;
          float* u = rooms + thread_number() * points() * u_apart;
          for (int b = 0; b < blocks; ++b)
            kernels<Plane, Mirrored>(d, w, begin + b, q, u + 1LL * b * B * to.blocks_of(q) * B, u_apart);
          for (int p = 0; p < points(); ++p)
            winograd::products<B>(v + p * v_apart + 1LL * i * channels, channels, 1,
                                  std::min(size, round_up(n - i, winograd::row_block)), u + p * u_apart,
                                  to.blocks_of(q), channels, m + p * m_apart + 1LL * i * to.count() + q * panel * B,
                                  to.count(), begin > 0);
        }
      }
#pragma omp for schedule(static)
      for (int task = 0; task < strips * to.blocks; ++task) {
        const int i = task % strips * strip, b = task / strips;
        output_tiles<Plane>(d, m + 1LL * i * to.count() + b * B, m_apart, b, first + i, std::min(strip, n - i), end);
      }
    }
  }

  /// A slice of input channels at a time: products of transformed tiles are summed, then the sums are transformed.
  template <bool Plane>
  void sum_kernels(const float* x, const float* dy, float* dw, int rows, float* sums) const {
    const Tiling& t = forward_.tiling;
    const Chunks chunks = sums_chunks(rows);
    const long long v_apart = apart(chunks.most(), slice_channels(in_));
    const long long z_apart = apart(chunks.most(), out_.count());
    float *v = sums + points() * sums_apart(), *z = v + points() * v_apart;
    constexpr int group = 64 / B;  // blocks of input channels whose products are summed in one task
#pragma omp parallel num_threads(threads_)
    for (int begin = 0; begin < in_.blocks; begin += slice) {
      const int blocks = std::min(slice, in_.blocks - begin), channels = blocks * B, groups = pieces(blocks, group);
      for (int s = 0; s < chunks.count(); ++s) {
        const long long first = chunks.first(s);
        const int n = chunks.size(s), strips = pieces(n, strip);
#pragma omp for schedule(static)
        for (int task = 0; task < strips * (blocks + out_.blocks); ++task) {
          const int from = task % strips * strip, size = std::min(strip, n - from), b = task / strips;
          if (b < blocks) {
            input_tiles<Plane>(forward_, x, begin + b, first + from, size, v + 1LL * from * channels + b * B, channels,
                               v_apart);
            continue;
          }
          const int o = b - blocks;
          t.for_each(first + from, size, [&](int i, long long row, int ty, int tx) {
            winograd::tile_to_points<B, Plane, winograd::OutputSlopeToPoints>(
                dy + (row * out_.blocks + o) * t.out_map(), output(t, ty, tx), z + out_.at(o, from + i, n), z_apart);
          });
        }
#pragma omp for schedule(static)
        for (int task = 0; task < points() * out_.panels() * groups; ++task) {
          const int p = task / groups / out_.panels(), q = task / groups % out_.panels(), g = task % groups * group;
          const int width = out_.blocks_of(q) * B;
          winograd::products<B>(v + p * v_apart + g * B, 1, channels, std::min(group, blocks - g) * B,
                                z + p * z_apart + out_.panel_at(q, n), out_.blocks_of(q), n,
                                sums + p * sums_apart() + out_.panel_at(q, channels) + 1LL * g * B * width, width,
                                first > 0);
        }
      }
#pragma omp for collapse(2) schedule(static)
      for (int o = 0; o < out_.blocks; ++o)
        for (int b = 0; b < blocks; ++b) kernel_slopes<Plane>(sums, channels, o, b, dw + kernel_block(o, begin + b));
    }
  }

  /// Gradients of one block of kernels from the sums of a slice.
  template <bool Plane>
  void kernel_slopes(const float* sums, int channels, int out, int in, float* dw) const {
    using namespace winograd;
    for (int l = 0; l < B; ++l) {
      const float* from = sums + out_.at(out, in * B + l, channels);
      float* to = dw + l * B;
      transform<B, Plane, PointsToKernelSlope>(
          [&](int i, int j) -> Lanes<B> {
            return lanes<B>(from + (i * across<Plane>(winograd::points) + j) * sums_apart()).v;
          },
          [&](int i, int j, const Lanes<B>& value) { lanes<B>(to + (i * across<Plane>(taps) + j) * B * B).v = value; });
    }
  }

  bool plane_, flat_;  // both axes are filtered; only the second is
  Channels in_, out_;
  Direction forward_, backward_;
  int threads_ = thread_count();
};

}  // namespace moecnn::onednn
