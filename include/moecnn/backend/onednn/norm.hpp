#pragma once
#include "moecnn/backend/onednn/layout.hpp"
#include "moecnn/backend/onednn/map_kernel.hpp"
#include "moecnn/backend/onednn/norm_loops.hpp"

#include <cmath>

namespace moecnn::onednn {

/// Batch normalisation of blocked maps, with residual and ReLU. Memory traffic is what it costs, so it walks through the
/// map in groups of channel blocks that stay in the cache: statistics of a group, then its result, then the next. Where
/// the ReLU let something through is kept as one bit per element, so the backward pass does not read the output. Sums
/// are taken per row and added up in a fixed order: results do not depend on the number of threads. S: the type of the
/// maps' elements, float or Bf16; parameters are floats.
template <int B, class S>
class BlockedNormKernel final : public MapKernel<S> {
 public:
  BlockedNormKernel(const Graph& g, const Flow& f, int n)
      : MapKernel<S>(g, f, n), op_(std::get<ops::BatchNorm>(node_.op)), training_(f.training) {
    blocks_ = round_up(op_.channels, B) / B;
    pixels_ = out_.extent.pixels();
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    const std::size_t tiles = static_cast<std::size_t>(out_.extent.n) * blocks_;
    if (training_) {
      n.keeps_input[0] = 1;
      n.saved = {sizeof(Moments<B>) * blocks_ * node_.experts};
      if (op_.relu) n.saved.push_back(sizeof(LaneMask) * tiles * pixels_);
      n.scratch_forward = n.scratch_backward = sizeof(Sums<B>) * tiles;
      n.inplace_backward = op_.residual ? 1 : 0;
      n.rebuilds_output = !op_.residual;
    } else {
      n.inplace_forward = 0;
    }
    return n;
  }

  void forward(const StepContext& step) override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (count > 0) forward(copy, first, count, step.training && !op_.frozen);
    });
  }

  void rebuild() override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (count > 0) rebuild(copy, first, count);
    });
  }

  void backward(const StepContext& step) override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (count > 0) return backward(copy, first, count, step.training && !op_.frozen);
      for (int i : {0, 1})
        if (param_mode_[i] == GradMode::overwrite) std::fill_n(param_grad(i, copy), op_.channels, 0.f);
    });
  }

 private:
  using MapKernel<S>::at, MapKernel<S>::node_, MapKernel<S>::out_, MapKernel<S>::input_mode_, MapKernel<S>::param_mode_,
      MapKernel<S>::param, MapKernel<S>::param_grad;

  /// A tile is one row of one block of channels.
  long long tile(int row, int block) const { return 1LL * row * blocks_ + block; }
  long long offset(int row, int block) const { return tile(row, block) * pixels_ * B; }
  /// Channel blocks that are worked on together: about 2 MB of each of `tensors`.
  int group(int count, int tensors) const {
    return static_cast<int>(std::clamp<long long>((2LL << 20) / (pixels_ * B * 4 * count * tensors), 1, blocks_));
  }
  long long work(int count) const { return count * pixels_ * blocks_ * B; }
  /// Maps of more than this many floats are gone from the caches before the next node comes to them.
  bool stream(int count) const { return work(count) > (2LL << 20); }
  Moments<B>* moments(int copy) const { return reinterpret_cast<Moments<B>*>(at.saved[0]) + copy * blocks_; }
  LaneMask* mask(int row, int block) const {
    return op_.relu && training_ ? reinterpret_cast<LaneMask*>(at.saved[1]) + tile(row, block) * pixels_ : nullptr;
  }
  /// Real channels of a block.
  int channels(int block) const { return std::min(B, op_.channels - block * B); }

  void forward(int copy, int first, int count, bool measure) const {
    Sums<B>* sums = reinterpret_cast<Sums<B>*>(at.scratch_forward);
    const S* x = at.input[0];
    const int step = group(count, 1);
    Finish<S> finish;
    finish.relu = op_.relu;
    finish.stream = stream(count);
#pragma omp parallel firstprivate(finish) if (worth_sharing(work(count)))
    for (int b0 = 0; b0 < blocks_; b0 += step) {
      const int tiles = std::min(step, blocks_ - b0) * count;
      if (measure) {
#pragma omp for schedule(static)
        for (int i = 0; i < tiles; ++i) {
          const int b = b0 + i / count, r = first + i % count;
          sum_and_squares<B>(x + offset(r, b), x + offset(first, b), pixels_, sums[b0 * count + i]);
        }
      }
      // Every thread settles the blocks that it meets for itself; that is cheaper than waiting for another to do it.
      Line<B> line;
      int settled = -1;
#pragma omp for schedule(static) nowait
      for (int i = 0; i < tiles; ++i) {
        const int b = b0 + i / count, r = first + i % count;
        if (settled != b) settle(copy, first, count, b, sums, measure, r == first, line), settled = b;
        finish.residual = op_.residual ? at.input[1] + offset(r, b) : nullptr;
        finish.mask = mask(r, b);
        normalise<B>(x + offset(r, b), at.output + offset(r, b), pixels_, line, finish);
      }
    }
  }

  /// From sums to the line y = (x - mean) · scale + shift, for one block of channels. The thread that `owns` the block
  /// keeps what is to be kept.
  void settle(int copy, int first, int count, int block, const Sums<B>* sums, bool measure, bool owns,
              Line<B>& line) const {
    const double m = static_cast<double>(count) * static_cast<double>(pixels_);
    const S* base = at.input[0] + offset(first, block);
    const Sums<B> sum = measure ? total(sums + block * count, count) : Sums<B>{};
    line = {};
    for (int l = 0; l < channels(block); ++l) {
      const int c = block * B + l;
      const double squares = std::max(0.0, sum.b[l] - sum.a[l] * sum.a[l] / m);
      const double mean = measure ? base[l] + sum.a[l] / m : param(2, copy)[c];
      const auto inverse = static_cast<float>(1 / std::sqrt((measure ? squares / m : param(3, copy)[c]) + op_.eps));
      set_channel(line, l, c, copy, static_cast<float>(mean), inverse);
      if (!owns) continue;
      if (measure) move(param(2, copy)[c], mean), move(param(3, copy)[c], squares / (m > 1 ? m - 1 : m));
      if (training_) moments(copy)[block].mean[l] = line.mean[l], moments(copy)[block].inverse[l] = inverse;
    }
  }
  /// From what is saved, so that rebuild() arrives at the same bits.
  void set_channel(Line<B>& line, int l, int c, int copy, float mean, float inverse) const {
    line.mean[l] = mean;
    line.scale[l] = param(0, copy)[c] * inverse;
    line.shift[l] = param(1, copy)[c];
  }

  void rebuild(int copy, int first, int count) const {
    Finish<S> finish;
    finish.relu = op_.relu;  // the mask is there already
    finish.stream = stream(count);
#pragma omp parallel for firstprivate(finish) schedule(static) if (worth_sharing(work(count)))
    for (int i = 0; i < blocks_ * count; ++i) {
      const int b = i / count, r = first + i % count;
      const Moments<B>& known = moments(copy)[b];
      Line<B> line{};
      for (int l = 0; l < channels(b); ++l) set_channel(line, l, b * B + l, copy, known.mean[l], known.inverse[l]);
      normalise<B>(at.input[0] + offset(r, b), at.output + offset(r, b), pixels_, line, finish);
    }
  }
  void move(float& running, double now) const {
    running = static_cast<float>((1 - op_.momentum) * running + op_.momentum * now);
  }
  static Sums<B> total(const Sums<B>* sums, int count) {
    Sums<B> t{};
    for (int r = 0; r < count; ++r)
      for (int l = 0; l < B; ++l) t.a[l] += sums[r].a[l], t.b[l] += sums[r].b[l];
    return t;
  }

  /// `measured`: the forward pass took the statistics of these rows.
  void backward(int copy, int first, int count, bool measured) const {
    Sums<B>* sums = reinterpret_cast<Sums<B>*>(at.scratch_backward);
    const S* x = at.input[0];
    const int step = group(count, 2);
    // The slope before the activation goes to the residual. Where that memory is written for the first time, it is also
    // what the second pass reads; it may be the memory of the output's gradient.
    const bool store = op_.residual && input_mode_[1] == GradMode::overwrite;
    const bool add = op_.residual && input_mode_[1] == GradMode::accumulate;
    const bool past = stream(count) && !this->adds_to_input(0) && at.input_grad[0] != at.output_grad;
#pragma omp parallel if (worth_sharing(work(count)))
    for (int b0 = 0; b0 < blocks_; b0 += step) {
      const int tiles = std::min(step, blocks_ - b0) * count;
#pragma omp for schedule(static)
      for (int i = 0; i < tiles; ++i) {
        const int b = b0 + i / count, r = first + i % count;
        slope_sums<B>(at.output_grad + offset(r, b), mask(r, b), x + offset(r, b), moments(copy)[b].mean,
                      store || add ? at.input_grad[1] + offset(r, b) : nullptr, add, pixels_, sums[b0 * count + i]);
      }
      Line<B> line;
      int settled = -1;
#pragma omp for schedule(static) nowait
      for (int i = 0; i < tiles; ++i) {
        const int b = b0 + i / count, r = first + i % count;
        if (settled != b) settle_backward(copy, count, b, sums, measured, r == first, line), settled = b;
        if (!this->wants_input(0)) continue;
        input_slope<B>((store ? at.input_grad[1] : at.output_grad) + offset(r, b), store ? nullptr : mask(r, b),
                       x + offset(r, b), at.input_grad[0] + offset(r, b), this->adds_to_input(0), past, pixels_, line);
      }
    }
  }

  /// dx = scale · dy + slope · (x - mean) + shift, and the gradients of weight and bias. Slope and shift are what dx owes
  /// to the statistics; running ones are constants.
  void settle_backward(int copy, int count, int block, const Sums<B>* sums, bool measured, bool owns,
                       Line<B>& line) const {
    const double m = static_cast<double>(count) * static_cast<double>(pixels_);
    const Moments<B>& known = moments(copy)[block];
    const Sums<B> sum = total(sums + block * count, count);
    line = {};
    for (int l = 0; l < channels(block); ++l) {
      const int c = block * B + l;
      const double inverse = known.inverse[l], dot = sum.b[l] * inverse, scale = param(0, copy)[c] * inverse;
      line.mean[l] = known.mean[l];
      line.scale[l] = static_cast<float>(scale);
      if (measured) {
        line.slope[l] = static_cast<float>(-scale * inverse * dot / m);
        line.shift[l] = static_cast<float>(-scale * sum.a[l] / m);
      }
      if (!owns) continue;
      if (this->wants_param(0)) this->deliver(param_grad(0, copy)[c], dot, this->adds_to_param(0));
      if (this->wants_param(1)) this->deliver(param_grad(1, copy)[c], sum.a[l], this->adds_to_param(1));
    }
  }

  ops::BatchNorm op_;
  bool training_;
  int blocks_;
  long long pixels_;
};

}  // namespace moecnn::onednn
