#pragma once
#include "moecnn/backend/onednn/conv.hpp"
#include "moecnn/backend/onednn/depthwise_loops.hpp"

namespace moecnn::onednn {

/// Whether a convolution between blocked maps is depthwise, and oneDNN has only slow code for one of the passes that run:
/// 2.6 lacks generated backward passes for dilated windows and for 5×5 ones.
inline bool slow_depthwise(const Graph& g, const Flow& f, int n, const ops::Conv& op) {
  const Edge &src = g.edges[g.nodes[n].inputs[0]], &dst = g.edges[g.nodes[n].output];
  if (!ConvProblem{op, src.extent, dst.extent, true, true}.depthwise()) return false;
  return best_formats(op, src, true, dst, true, conv_use(g, f, n, op, options()), nullptr).rank > 0;
}

/// Depthwise convolution of blocked maps. Bands of lines are copied with zeros at their ends, small enough to stay in the
/// cache, and every line of the result is a sum over windows of those; so is the gradient of the input, over windows of
/// the output's gradient. The gradient of the weights is summed per group of rows and block of channels, and then over
/// the groups: results do not depend on the number of threads. Weights lie as oneDNN's own depthwise kernels have them.
template <int B>
class DepthwiseKernel final : public host::NodeKernel<float>, public Described {
 public:
  using Stored = ConvKernel::Stored;

  /// `stored`: how the weights lie in the store; null: this node may choose.
  DepthwiseKernel(const Graph& g, const Flow& f, int n, Stored stored)
      : NodeKernel(g, f, n), op_(std::get<ops::Conv>(node_.op)), blocks_(round_up(op_.out, B) / B) {
    const Extent x = in_[0].extent, y = out_.extent;
    const auto axes = [&](auto axis) {
      return Windows(axis(x.h, y.h, op_.kernel.h, op_.stride.h, op_.pad.h, op_.dilation.h),
                     axis(x.w, y.w, op_.kernel.w, op_.stride.w, op_.pad.w, op_.dilation.w));
    };
    forward_ = axes(WindowAxis::of_output);
    backward_ = axes(WindowAxis::of_input_grad);
    trains_ = f.runs_backward[n];

    using Tag = dnnl::memory::format_tag;
    const ConvProblem problem{op_, x, y, true, true};
    const Desc desc(problem.weights(), dnnl::memory::data_type::f32, B == 16 ? Tag::Goihw16g : Tag::Goihw8g);
    native_ = std::make_shared<WeightsLayout>(problem.shape(), desc);
    stored_ = stored ? std::move(stored) : native_;
    if (stored_->desc() == native_->desc()) return;
    to_native_ = std::make_unique<WeightsConversion>(stored_, native_);
    own_weights_.resize(node_.experts * native_->elements());
    if (!trains_ || !wants_param(0)) return;
    to_stored_ = std::make_unique<WeightsConversion>(native_, stored_);
    own_grad_.resize(native_->elements()), stored_grad_.resize(stored_->elements());
  }

  const Stored& weights_layout() const { return stored_; }
  const std::string& node_name() const override { return node_.name; }
  std::vector<std::string> implementations() const override {
    std::vector<std::string> list{"depthwise by own loops"};
    if (to_native_) list.push_back("weights: converted when they change");
    return list;
  }

  NodeNeeds needs() const override {
    NodeNeeds n = plain_needs();
    n.keeps_input[0] = trains_ && wants_param(0);
    n.scratch_forward = threads_ * forward_.room();
    if (trains_) n.scratch_backward = rooms() + sizeof(double) * sums() * groups(out_.extent.n) * blocks_;
    if (op_.residual) n.inplace_forward = 1;
    return n;
  }

  void refresh() override {
    if (!to_native_) return;
    for (int e = 0; e < node_.experts; ++e) to_native_->run(param(0, e), own_weights_.data() + e * native_->elements());
  }

  void forward(const StepContext&) override {
    for_each_copy([&](int copy, int first, int count) {
      for_each_band(forward_, at.input[0], first, count, at.scratch_forward,
                    [&](long long tile, const PaddedLines& x, int line, int end) {
                      const int block = static_cast<int>(tile % blocks_);
                      float bias[B] = {};
                      if (op_.bias) std::copy_n(param(1, copy) + block * B, channels(block), bias);
                      for (; line < end; ++line) {
                        const long long to = offset(forward_, tile, line);
                        window_sums<B>(x, forward_.rows, forward_.columns, line, weights(copy, block),
                                       {.bias = op_.bias ? bias : nullptr,
                                        .add = op_.residual ? at.input[1] + to : nullptr,
                                        .relu = op_.relu,
                                        .result = at.output + to});
                      }
                    });
    });
  }

  void backward(const StepContext&) override {
    for_each_copy([&](int copy, int first, int count) {
      if (wants_param(0) || (op_.bias && wants_param(1))) backward_weights(copy, first, count);
      if (!wants_input(0)) return;
      for_each_band(backward_, at.output_grad, first, count, at.scratch_backward,
                    [&](long long tile, const PaddedLines& dy, int line, int end) {
                      for (; line < end; ++line) {
                        float* dx = at.input_grad[0] + offset(backward_, tile, line);
                        window_sums<B>(dy, backward_.rows, backward_.columns, line,
                                       weights(copy, static_cast<int>(tile % blocks_)),
                                       {.add = adds_to_input(0) ? dx : nullptr, .result = dx});
                      }
                    });
    });
  }

 private:
  /// Both axes of a pass, and how many lines of its result are computed from one copy of the lines they need.
  struct Windows {
    static constexpr long long cache = 256 << 10;  // bytes: half of the second level of most CPUs, or less

    WindowAxis rows, columns;
    int band = 1;
    int sources = 0;  ///< the most lines that a band needs

    Windows() = default;
    Windows(WindowAxis r, WindowAxis c) : rows(std::move(r)), columns(std::move(c)) {
      const int single = most_sources(1);  // bands much lower than this would mostly copy what the last one had
      for (band = rows.size;; band = (band + 1) / 2) {
        sources = most_sources(band);
        if (band <= std::max(1, single) || sources * line_bytes() <= cache) break;
      }
    }

    int bands() const { return (rows.size + band - 1) / band; }
    int end(int first) const { return std::min(rows.size, first + band); }
    long long line_bytes() const { return 1LL * columns.padded() * B * static_cast<long long>(sizeof(float)); }
    /// Bytes for a copy of the lines that a band needs.
    std::size_t room() const { return static_cast<std::size_t>(sources * line_bytes()); }

    struct Range {
      int first, end;
    };
    /// Lines of the source that a band's lines read.
    Range source(int first, int last) const {
      Range r{rows.source, 0};
      for (int l = first; l < last; ++l)
        rows.for_each_line(l, [&](int from, int) { r = {std::min(r.first, from), std::max(r.end, from + 1)}; });
      return {std::min(r.first, r.end), r.end};
    }

   private:
    int most_sources(int lines) const {
      int most = 0;
      for (int l = 0; l < rows.size; l += lines) {
        const Range r = source(l, std::min(rows.size, l + lines));
        most = std::max(most, r.end - r.first);
      }
      return most;
    }
  };

  int window() const { return op_.kernel.h * op_.kernel.w; }
  /// Sums of one block: of each position in the window, and of the bias.
  std::size_t sums() const { return static_cast<std::size_t>(window() + 1) * B; }
  std::size_t rooms() const { return threads_ * std::max(forward_.room(), backward_.room()); }
  /// Real channels of a block.
  int channels(int block) const { return std::min(B, op_.out - block * B); }
  /// A line of the result of a pass. A tile is one row of one block of channels.
  long long offset(const Windows& w, long long tile, int line) const {
    return (tile * w.rows.size + line) * w.columns.size * B;
  }
  const float* weights(int copy, int block) const {
    return (to_native_ ? own_weights_.data() + copy * native_->elements() : param(0, copy)) +
           1LL * block * window() * B;
  }
  bool worth_sharing(int count) const {
    return products_worth_sharing(count * out_.elements() / out_.extent.n * window());
  }
  /// Into how many groups the rows are cut whose gradients of the weights are summed apart, so that there is work for all
  /// threads even where there are few blocks. Depends on sizes alone, so equal runs compute equal bits.
  int groups(int count) const { return std::clamp((enough_tasks + blocks_ - 1) / blocks_, 1, std::max(1, count)); }

  /// The lines that a band needs, with what they lack at their ends.
  PaddedLines padded(const Windows& w, const float* source, long long tile, int first, std::byte* rooms_of_all) const {
    const auto needs = w.source(first, w.end(first));
    std::byte* room = rooms_of_all + thread_number() * w.room();
    return pad_lines<B>(source + tile * w.rows.source * w.columns.source * B, w.columns, needs.first, needs.end,
                        reinterpret_cast<float*>(room));
  }

  /// Calls `work(tile, lines of the source, first line, end)` for all bands of the result.
  template <class F>
  void for_each_band(const Windows& w, const float* source, int first, int count, std::byte* scratch,
                     const F& work) const {
    const long long tasks = 1LL * count * blocks_ * w.bands();
#pragma omp parallel for schedule(static) num_threads(threads_) if (worth_sharing(count))
    for (long long i = 0; i < tasks; ++i) {
      const long long tile = 1LL * first * blocks_ + i / w.bands();
      const int line = static_cast<int>(i % w.bands()) * w.band;
      work(tile, padded(w, source, tile, line, scratch), line, w.end(line));
    }
  }

  void backward_weights(int copy, int first, int count) {
    double* parts = reinterpret_cast<double*>(at.scratch_backward + rooms());
    const int many = groups(count);
#pragma omp parallel num_threads(threads_) if (worth_sharing(count))
    {
#pragma omp for schedule(static)
      for (int i = 0; i < many * blocks_; ++i) {
        double* sum = parts + i * sums();
        std::fill_n(sum, sums(), 0.0);
        const int group = i / blocks_, end = first + count * (group + 1) / many;
        for (int r = first + count * group / many; r < end; ++r) add_row(1LL * r * blocks_ + i % blocks_, sum);
      }
#pragma omp for schedule(static)
      for (int b = 0; b < blocks_; ++b) hand_over(copy, b, parts, many);
    }
    if (!to_stored_) return;
    to_stored_->run(own_grad_.data(), stored_grad_.data());
    float* grad = param_grad(0, copy);
    start(grad, static_cast<long long>(stored_grad_.size()), adds_to_param(0));
    for (std::size_t i = 0; i < stored_grad_.size(); ++i) grad[i] += stored_grad_[i];
  }

  /// One tile's part of the gradients.
  void add_row(long long tile, double* sum) const {
    const Windows& w = forward_;
    if (wants_param(0))
      for (int l = 0; l < w.rows.size; l += w.band)
        weight_sums<B>(padded(w, at.input[0], tile, l, at.scratch_backward), w.rows, w.columns,
                       at.output_grad + offset(w, tile, 0), l, w.end(l), sum);
    if (op_.bias && wants_param(1))
      detail::sum_pixels<B>(at.output_grad + offset(w, tile, 0), out_.extent.pixels(), sum + window() * B);
  }

  /// Sums over the groups, in their order.
  void hand_over(int copy, int block, const double* parts, int many) {
    const auto total = [&](int i) {
      double t = 0;
      for (int g = 0; g < many; ++g) t += parts[(1LL * g * blocks_ + block) * sums() + i];
      return t;
    };
    if (wants_param(0)) {
      float* dw = (to_stored_ ? own_grad_.data() : param_grad(0, copy)) + 1LL * block * window() * B;
      for (int i = 0; i < window() * B; ++i) deliver(dw[i], total(i), !to_stored_ && adds_to_param(0));
    }
    if (op_.bias && wants_param(1))
      for (int l = 0; l < channels(block); ++l)
        deliver(param_grad(1, copy)[block * B + l], total(window() * B + l), adds_to_param(1));
  }

  static constexpr int enough_tasks = 24;

  ops::Conv op_;
  int blocks_, threads_ = thread_count();
  bool trains_ = false;
  Windows forward_, backward_;
  Stored native_, stored_;
  std::unique_ptr<WeightsConversion> to_native_, to_stored_;
  std::vector<float> own_weights_, own_grad_, stored_grad_;
};

}  // namespace moecnn::onednn
