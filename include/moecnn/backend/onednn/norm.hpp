#pragma once
#include "moecnn/backend/onednn/layout.hpp"
#include "moecnn/backend/onednn/norm_loops.hpp"
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::onednn {

/// Batch normalisation of blocked maps, with residual and ReLU. Memory is what it costs, so it walks through the map
/// in groups of channel blocks that stay in the cache: statistics and result of one group, then the next. Sums are
/// taken per row and added up in a fixed order: results do not depend on the number of threads.
template <int B>
class BlockedNormKernel final : public reference::NodeKernel<float> {
 public:
  BlockedNormKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel(g, f, n), op_(std::get<ops::BatchNorm>(node_.op)), training_(f.training) {
    blocks_ = round_up(op_.channels, B) / B;
    pixels_ = out_.extent.pixels();
  }

  NodeNeeds needs() const override {
    NodeNeeds n = plain_needs();
    const std::size_t rows = out_.extent.n, blocks = blocks_;
    n.scratch_forward = n.scratch_backward = sizeof(Sums<B>) * rows * blocks + sizeof(Line<B>) * blocks;
    if (training_) {
      n.keeps_input[0] = 1;
      n.keeps_output = op_.relu;
      n.saved = {sizeof(Moments<B>) * blocks * node_.copies};
      n.inplace_backward = op_.residual ? 1 : 0;
    } else {
      n.inplace_forward = 0;
    }
    return n;
  }

  void forward(const StepContext& step) override {
    for_each_copy([&](int copy, int first, int count) {
      if (count > 0) forward(copy, first, count, step.training);
    });
  }

  void backward(const StepContext&) override {
    for_each_copy([&](int copy, int first, int count) {
      if (count > 0) return backward(copy, first, count);
      for (int i : {0, 1})
        if (param_mode_[i] == GradMode::overwrite) std::fill_n(param_grad(i, copy), op_.channels, 0.f);
    });
  }

 private:
  long long offset(int row, int block) const { return (1LL * row * blocks_ + block) * pixels_ * B; }
  /// Channel blocks that are worked on together: about 2 MB of each tensor.
  int group(int count) const {
    return static_cast<int>(std::clamp<long long>((2LL << 20) / (pixels_ * B * 4 * count), 1, blocks_));
  }
  bool parallel(int count) const { return count * pixels_ * blocks_ * B > parallel_threshold; }
  Sums<B>* sums(std::byte* scratch) const { return reinterpret_cast<Sums<B>*>(scratch); }
  Line<B>* lines(std::byte* scratch) const {
    return reinterpret_cast<Line<B>*>(sums(scratch) + out_.extent.n * blocks_);
  }
  Moments<B>* moments(int copy) const { return reinterpret_cast<Moments<B>*>(at.saved[0]) + copy * blocks_; }
  /// Real channels of a block.
  int channels(int block) const { return std::min(B, op_.channels - block * B); }

  void forward(int copy, int first, int count, bool measure) const {
    Sums<B>* sum = sums(at.scratch_forward);
    Line<B>* line = lines(at.scratch_forward);
    const float* x = at.input[0];
    const int step = group(count);
#pragma omp parallel if (parallel(count))
    for (int b0 = 0; b0 < blocks_; b0 += step) {
      const int here = std::min(step, blocks_ - b0);
      if (measure) {
#pragma omp for schedule(static)
        for (int i = 0; i < here * count; ++i) {
          const int b = b0 + i / count, r = first + i % count;
          sum_and_squares<B>(x + offset(r, b), x + offset(first, b), pixels_, sum[i]);
        }
      }
#pragma omp for schedule(static)
      for (int i = 0; i < here; ++i) settle(copy, first, count, b0 + i, sum + i * count, measure, line[b0 + i]);
#pragma omp for schedule(static)
      for (int i = 0; i < here * count; ++i) {
        const int b = b0 + i / count, r = first + i % count;
        normalise<B>(x + offset(r, b), op_.residual ? at.input[1] + offset(r, b) : nullptr, at.output + offset(r, b),
                     pixels_, line[b], op_.relu);
      }
    }
  }

  /// From sums to the line y = (x - mean) · scale + shift, for one block of channels.
  void settle(int copy, int first, int count, int block, const Sums<B>* sum, bool measure, Line<B>& line) const {
    const double m = static_cast<double>(count) * pixels_;
    const float* base = at.input[0] + offset(first, block);
    line = {};
    for (int l = 0; l < channels(block); ++l) {
      const int c = block * B + l;
      double mean = param(2, copy)[c], variance = param(3, copy)[c];
      if (measure) {
        double a = 0, q = 0;
        for (int r = 0; r < count; ++r) a += sum[r].a[l], q += sum[r].b[l];
        mean = base[l] + a / m;
        const double squares = std::max(0.0, q - a * a / m);
        variance = squares / m;
        move(param(2, copy)[c], mean);
        move(param(3, copy)[c], m > 1 ? squares / (m - 1) : variance);
      }
      const double inverse = 1 / std::sqrt(variance + op_.eps);
      line.mean[l] = static_cast<float>(mean);
      line.scale[l] = static_cast<float>(param(0, copy)[c] * inverse);
      line.shift[l] = param(1, copy)[c];
      if (training_) moments(copy)[block].mean[l] = line.mean[l], moments(copy)[block].inverse[l] = inverse;
    }
  }
  void move(float& running, double now) const {
    running = static_cast<float>((1 - op_.momentum) * running + op_.momentum * now);
  }

  void backward(int copy, int first, int count) const {
    Sums<B>* sum = sums(at.scratch_backward);
    Line<B>* line = lines(at.scratch_backward);
    const float* x = at.input[0];
    const int step = group(3 * count);
    // The slope before the activation goes to the residual. Where that memory is written for the first time, it is also
    // what the second pass reads; it may be the memory of the output's gradient.
    const bool store = op_.residual && input_mode_[1] == GradMode::overwrite;
    const bool add = op_.residual && input_mode_[1] == GradMode::accumulate;
#pragma omp parallel if (parallel(count))
    for (int b0 = 0; b0 < blocks_; b0 += step) {
      const int here = std::min(step, blocks_ - b0);
#pragma omp for schedule(static)
      for (int i = 0; i < here * count; ++i) {
        const int b = b0 + i / count;
        const long long at_row = offset(first + i % count, b);
        float* residual = store || add ? at.input_grad[1] + at_row : nullptr;
        slope_sums<B>(at.output_grad + at_row, op_.relu ? at.output + at_row : nullptr, x + at_row,
                      moments(copy)[b].mean, residual, add, pixels_, sum[i]);
      }
#pragma omp for schedule(static)
      for (int i = 0; i < here; ++i) settle_backward(copy, count, b0 + i, sum + i * count, line[b0 + i]);
      if (!wants_input(0)) continue;
#pragma omp for schedule(static)
      for (int i = 0; i < here * count; ++i) {
        const int b = b0 + i / count;
        const long long at_row = offset(first + i % count, b);
        const float* dy = store ? at.input_grad[1] + at_row : at.output_grad + at_row;
        input_slope<B>(dy, op_.relu && !store ? at.output + at_row : nullptr, x + at_row, at.input_grad[0] + at_row,
                       input_mode_[0] == GradMode::accumulate, pixels_, line[b]);
      }
    }
  }

  /// dx = scale · dy + slope · (x - mean) + shift, and the gradients of weight and bias.
  void settle_backward(int copy, int count, int block, const Sums<B>* sum, Line<B>& line) const {
    const double m = static_cast<double>(count) * pixels_;
    line = {};
    for (int l = 0; l < channels(block); ++l) {
      const int c = block * B + l;
      const double inverse = moments(copy)[block].inverse[l];
      double total = 0, dot = 0;
      for (int r = 0; r < count; ++r) total += sum[r].a[l], dot += sum[r].b[l];
      dot *= inverse;
      if (wants_param(0)) deliver(param_grad(0, copy)[c], dot, adds_to_param(0));
      if (wants_param(1)) deliver(param_grad(1, copy)[c], total, adds_to_param(1));
      const double scale = param(0, copy)[c] * inverse;
      line.mean[l] = moments(copy)[block].mean[l];
      line.scale[l] = static_cast<float>(scale);
      line.slope[l] = static_cast<float>(-scale * inverse * dot / m);
      line.shift[l] = static_cast<float>(-scale * total / m);
    }
  }

  ops::BatchNorm op_;
  bool training_;
  int blocks_;
  long long pixels_;
};

}  // namespace moecnn::onednn
