#pragma once
#include "moecnn/backend/host/node_kernel.hpp"
#include "moecnn/backend/onednn/lanes.hpp"
#include "moecnn/backend/onednn/layout.hpp"

namespace moecnn::onednn {

/// Pooling of blocked maps: one task per row and block of channels.
template <int B>
class BlockedPoolKernel : public host::NodeKernel<float> {
 public:
  BlockedPoolKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel(g, f, n), blocks_(round_up(in_[0].channels, B) / B), in_pixels_(in_[0].extent.pixels()) {}

 protected:
  template <class F>
  void for_each_block(const F& work) const {
    const int n = rows() * blocks_;
#pragma omp parallel for schedule(static) if (worth_sharing(n * in_pixels_ * B))
    for (int i = 0; i < n; ++i) work(i);
  }

  int blocks_;
  long long in_pixels_;
};

/// Means over pixels, from blocked maps to plain rows.
template <int B>
class GlobalAvgPoolKernel final : public BlockedPoolKernel<B> {
 public:
  using BlockedPoolKernel<B>::BlockedPoolKernel;

  void forward(const StepContext&) override {
    const long long pixels = this->in_pixels_;
    this->for_each_block([&](int i) {
      const float* x = at.input[0] + i * pixels * B;
      double sum[B] = {};
      for (long long p = 0; p < pixels; p += float_run) {
        float part[B];
        Lanes<B> s{};
        const long long end = std::min(pixels, p + float_run);
        for (long long q = p; q < end; ++q) s += lanes<B>(x + q * B).v;
        lanes<B>(part).v = s;
        for (int l = 0; l < B; ++l) sum[l] += part[l];
      }
      float* y = at.output + plain_offset(i);
      for (int l = 0; l < channels(i); ++l) y[l] = static_cast<float>(sum[l] / static_cast<double>(pixels));
    });
  }

  void backward(const StepContext&) override {
    const long long pixels = this->in_pixels_;
    const bool add = this->input_mode_[0] == GradMode::accumulate;
    this->for_each_block([&](int i) {
      const float* dy = at.output_grad + plain_offset(i);
      float slope[B] = {};
      for (int l = 0; l < channels(i); ++l) slope[l] = dy[l] / static_cast<float>(pixels);
      const Lanes<B> s = lanes<B>(slope).v;
      float* dx = at.input_grad[0] + i * pixels * B;
      for (long long p = 0; p < pixels; ++p) lanes<B>(dx + p * B).v = add ? lanes<B>(dx + p * B).v + s : s;
    });
  }

 private:
  using BlockedPoolKernel<B>::at;
  long long plain_offset(int i) const {
    return 1LL * (i / this->blocks_) * this->out_.channels + (i % this->blocks_) * B;
  }
  int channels(int i) const { return std::min(B, this->out_.channels - (i % this->blocks_) * B); }
};

/// The largest value of each window and where it stands, per channel. Op: MaxPool or ArgMaxPool.
template <int B, class Op>
class WindowMaxKernel : public BlockedPoolKernel<B> {
 public:
  using Position = std::uint16_t;

  WindowMaxKernel(const Graph& g, const Flow& f, int n)
      : BlockedPoolKernel<B>(g, f, n), op_(std::get<Op>(this->node_.op)) {
    check(op_.kernel.h * op_.kernel.w < 65536, "{}: a pooling window of {}x{} has too many positions", this->node_.name,
          op_.kernel.h, op_.kernel.w);
  }

 protected:
  /// Calls `visit(output pixel, best[B], where[B])` for the windows of a block; `where` are positions in the window.
  template <class F>
  void for_each_largest(const float* x, const F& visit) const {
    for_each_window([&](long long o, auto&& for_each_position) {
      float best[B];
      Position where[B] = {};
      bool first = true;
      for_each_position([&](int position, long long pixel) {
        for (int l = 0; l < B; ++l) {
          const float v = x[pixel * B + l];
          // NaN wins, so that it is seen.
          const bool wins = first || v > best[l] || v != v;
          best[l] = wins ? v : best[l];
          where[l] = wins ? static_cast<Position>(position) : where[l];
        }
        first = false;
      });
      visit(o, best, where);
    });
  }

  /// Calls `visit(output pixel, f)`, where f(g) calls g(position in the window, input pixel) for those inside the map.
  template <class F>
  void for_each_window(const F& visit) const {
    const Extent x = this->in_[0].extent, y = this->out_.extent;
    for (int oh = 0; oh < y.h; ++oh)
      for (int ow = 0; ow < y.w; ++ow)
        visit(1LL * oh * y.w + ow, [&](auto&& position) {
          for (int kh = 0; kh < op_.kernel.h; ++kh)
            for (int kw = 0; kw < op_.kernel.w; ++kw) {
              const int ih = oh * op_.stride.h - op_.pad.h + kh, iw = ow * op_.stride.w - op_.pad.w + kw;
              if (ih >= 0 && ih < x.h && iw >= 0 && iw < x.w) position(kh * op_.kernel.w + kw, 1LL * ih * x.w + iw);
            }
        });
  }

  Op op_;
};

/// Remembers which of the window's positions won.
template <int B>
class MaxPoolKernel final : public WindowMaxKernel<B, ops::MaxPool> {
 public:
  using typename WindowMaxKernel<B, ops::MaxPool>::Position;

  MaxPoolKernel(const Graph& g, const Flow& f, int n)
      : WindowMaxKernel<B, ops::MaxPool>(g, f, n), remembers_(f.runs_backward[n]) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    if (remembers_)
      n.saved = {sizeof(Position) * static_cast<std::size_t>(out_.extent.n) * this->blocks_ * B * out_.extent.pixels()};
    return n;
  }

  void forward(const StepContext&) override {
    this->for_each_block([&](int i) {
      this->for_each_largest(at.input[0] + i * this->in_pixels_ * B,
                             [&](long long o, const float* best, const Position* where) {
                               const long long to = (i * out_.extent.pixels() + o) * B;
                               std::copy_n(best, B, at.output + to);
                               if (remembers_) std::copy_n(where, B, positions() + to);
                             });
    });
  }

  void backward(const StepContext&) override {
    this->for_each_block([&](int i) {
      float* dx = at.input_grad[0] + i * this->in_pixels_ * B;
      this->start(dx, this->in_pixels_ * B, this->adds_to_input(0));
      this->for_each_window([&](long long o, auto&& for_each_position) {
        const long long from = (i * out_.extent.pixels() + o) * B;
        const float* dy = at.output_grad + from;
        const Position* where = positions() + from;
        for_each_position([&](int position, long long pixel) {
          for (int l = 0; l < B; ++l) dx[pixel * B + l] += where[l] == position ? dy[l] : 0.f;
        });
      });
    });
  }

 private:
  using BlockedPoolKernel<B>::at;
  using BlockedPoolKernel<B>::out_;

  Position* positions() const { return reinterpret_cast<Position*>(at.saved[0]); }

  bool remembers_;
};

template <int B>
class ArgMaxPoolKernel final : public WindowMaxKernel<B, ops::ArgMaxPool> {
 public:
  using WindowMaxKernel<B, ops::ArgMaxPool>::WindowMaxKernel;

  void forward(const StepContext&) override {
    this->for_each_block([&](int i) {
      const ops::ArgMaxPool op = this->op_;
      const Extent y = this->out_.extent;
      const int wide = this->in_[0].extent.w;
      const int there = std::min(B, this->out_.channels - i % this->blocks_ * B);
      float* out = this->at.output + i * y.pixels() * B;
      this->for_each_largest(this->at.input[0] + i * this->in_pixels_ * B,
                             [&](long long o, const float*, const auto* where) {
                               const int top = static_cast<int>(o / y.w) * op.stride.h - op.pad.h;
                               const int left = static_cast<int>(o % y.w) * op.stride.w - op.pad.w;
                               for (int l = 0; l < B; ++l) {
                                 const int h = top + where[l] / op.kernel.w, w = left + where[l] % op.kernel.w;
                                 out[o * B + l] = l < there ? static_cast<float>(h * wide + w) : 0.f;
                               }
                             });
    });
  }
};

}  // namespace moecnn::onednn
