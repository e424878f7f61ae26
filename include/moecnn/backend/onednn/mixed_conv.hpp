#pragma once
#include "moecnn/backend/onednn/conv.hpp"
#include "moecnn/backend/onednn/threads.hpp"

namespace moecnn::onednn {

/// ops::MixedConv: every thread mixes the kernels of a row and convolves that row by itself, since most rows (the patches
/// of an image) are too small to share. Large rows are shared by all threads where they do not come out even (the last of
/// 9 patches on 2 threads) and where a kernel alone fills a thread's cache. Gradients of mixed kernels are collected for a
/// few rows at a time and then handed to the experts, in the order of the rows.
class MixedConvKernel final : public host::NodeKernel<float>, public Described {
 public:
  MixedConvKernel(const Graph& g, const Flow& f, int n, bool src_blocked, bool dst_blocked, ConvKernel::Stored stored)
      : NodeKernel(g, f, n), op_(std::get<ops::MixedConv>(node_.op).conv), rows_(out_.extent.n) {
    src_row_ = row_size(in_[0], src_blocked), dst_row_ = row_size(out_, dst_blocked);
    Graph row;
    row.edges = {in_[0], out_};
    for (Edge& e : row.edges) e.extent.n = 1, e.routing = -1;
    Node& conv = row.nodes.emplace_back();
    conv.op = op_, conv.inputs = {0}, conv.output = 1, conv.name = node_.name;
    const bool trains = f.runs_backward[n];
    Flow flow;
    flow.runs_backward = {f.runs_backward[n]};
    flow.input_mode = {{input_mode_[0]}};
    flow.param_mode = {std::vector<GradMode>(params(), trains ? GradMode::overwrite : GradMode::ignore)};
    Options each = options();
    each.winograd_scratch /= threads_;
    const auto add_worker = [&](const Options& opts) {
      workers_.push_back(std::make_unique<ConvKernel>(row, flow, 0, src_blocked, dst_blocked, stored, opts));
      workers_.back()->prepare();
      if (!stored) stored = workers_[0]->weights_layout();
    };
    {
      const detail::OneThread alone;
      for (int t = 0; t < threads_; ++t) add_worker(each);
    }
    if (op_.weights() * out_.extent.pixels() < enough_to_share * threads_)
      solo_rows_ = rows_;
    else if (op_.weights() <= own_cache)
      solo_rows_ = rows_ - rows_ % threads_;
    if (solo_rows_ < rows_) add_worker(options());
    inner_ = workers_[0]->needs();
    const NodeNeeds shared = workers_.back()->needs();
    sizes_ = {static_cast<long long>(weights_layout()->elements()), op_.bias ? op_.out : 0};
    inner_.scratch_forward = round_to_line(inner_.scratch_forward);
    inner_.scratch_backward = round_to_line(inner_.scratch_backward);
    team_forward_ = round_to_line(shared.scratch_forward), team_backward_ = round_to_line(shared.scratch_backward);
    if (trains) slopes_.resize(static_cast<std::size_t>(blocks()) * rows_at_once * node_.experts);
    bindings_.resize(workers_.size());
    for (BindingsOf<float>& b : bindings_)
      b.input.resize(1), b.input_grad.resize(1), b.param.resize(params()), b.param_grad.resize(params());
  }

  const ConvKernel::Stored& weights_layout() const { return workers_[0]->weights_layout(); }
  const std::string& node_name() const override { return node_.name; }
  std::vector<std::string> implementations() const override { return workers_[0]->implementations(); }

  NodeNeeds needs() const override {
    NodeNeeds n = inner_;
    n.scratch_forward = std::max(threads_ * (inner_.scratch_forward + kernel_bytes()), team_forward_ + kernel_bytes());
    n.scratch_backward = workers_backward() + rows_at_once * kernel_bytes();
    return n;
  }

  void forward(const StepContext& step) override {
    run(
        [&](int row) {
          const int t = thread_number();
          std::byte* scratch = at.scratch_forward + t * (inner_.scratch_forward + kernel_bytes());
          at_row(t, row, scratch, scratch + inner_.scratch_forward, nullptr).forward(step);
        },
        0, solo_rows_);
    for (int row = solo_rows_; row < rows_; ++row)
      at_row(threads_, row, at.scratch_forward, at.scratch_forward + team_forward_, nullptr).forward(step);
  }

  void backward(const StepContext& step) override {
    std::byte* grads = at.scratch_backward + workers_backward();
    const auto grad = [&](int row, int first) { return grads + (row - first) * kernel_bytes(); };
    at.routing_grads->weights.fill(0);
    for (int first = 0; first < rows_; first += rows_at_once) {
      const int end = std::min(rows_, first + rows_at_once);
      run(
          [&](int row) {
            const int t = thread_number();
            std::byte* scratch = at.scratch_backward + t * (inner_.scratch_backward + kernel_bytes());
            at_row(t, row, scratch, scratch + inner_.scratch_backward, grad(row, first)).backward(step);
          },
          first, std::min(end, solo_rows_));
      for (int row = std::max(first, solo_rows_); row < end; ++row)
        at_row(threads_, row, at.scratch_backward, at.scratch_backward + team_backward_, grad(row, first))
            .backward(step);
      unmix(reinterpret_cast<const float*>(grads), first, end);
    }
  }

 private:
  static constexpr int rows_at_once = 8;
  static constexpr long long block = 4096;  // numbers of a kernel that one thread hands to the experts in one go
  /// Multiplications of a row per thread from which on all threads share it: about a tenth of a millisecond.
  static constexpr long long enough_to_share = 4'000'000;
  /// Numbers of a kernel beyond which threads that work with one each drive one another's out of the caches they share.
  static constexpr long long own_cache = 1 << 18;

  int params() const { return op_.bias ? 2 : 1; }
  static std::size_t round_to_line(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  /// Weights, then biases, of one mixed kernel.
  std::size_t kernel_bytes() const { return round_to_line(sizeof(float) * (sizes_[0] + sizes_[1])); }
  /// Scratch bytes of the threads, each with its row, or of all of them with one.
  std::size_t workers_backward() const {
    return std::max(threads_ * (inner_.scratch_backward + kernel_bytes()), team_backward_ + kernel_bytes());
  }
  long long blocks() const { return (sizes_[0] + block - 1) / block + (op_.bias ? 1 : 0); }
  static long long row_size(const Edge& e, bool blocked) {
    return e.extent.pixels() * (blocked ? round_up(e.channels, channel_block()) : e.channels);
  }

  template <class F>
  void run(const F& work, int first, int end) const {
    std::exception_ptr failed;  // none may leave the threads
    [[maybe_unused]] const long long products = (end - first) * op_.weights() * out_.extent.pixels();
#pragma omp parallel for schedule(static) num_threads(threads_) if (products_worth_sharing(products))
    for (int row = first; row < end; ++row) try {
        work(row);
      } catch (...) {
#pragma omp critical(moecnn_mixed_conv)
        failed = std::current_exception();
      }
    if (failed) std::rethrow_exception(failed);
  }

  /// Mixes the kernel of a row at `kernel` and gives worker `t` all it needs to know. Number threads_: that of all threads.
  ConvKernel& at_row(int t, int row, std::byte* scratch, std::byte* kernel, std::byte* grad) {
    BindingsOf<float>& b = bindings_[t];
    b.input[0] = at.input[0] + row * src_row_;
    b.input_grad[0] = at.input_grad[0] ? at.input_grad[0] + row * src_row_ : nullptr;
    b.output = at.output + row * dst_row_;
    b.output_grad = at.output_grad ? at.output_grad + row * dst_row_ : nullptr;
    b.scratch_forward = b.scratch_backward = scratch;
    for (int i = 0; i < params(); ++i) {
      b.param[i] = reinterpret_cast<float*>(kernel) + (i ? sizes_[0] : 0);
      b.param_grad[i] = grad ? reinterpret_cast<float*>(grad) + (i ? sizes_[0] : 0) : nullptr;
      const int parts = t < threads_ ? 1 : threads_;
#pragma omp parallel for schedule(static) num_threads(parts) if (parts > 1 && worth_sharing(sizes_[i]))
      for (int part = 0; part < parts; ++part)
        mix(row, i, b.param[i], sizes_[i] * part / parts, sizes_[i] * (part + 1) / parts);
    }
    workers_[t]->bind(b);
    workers_[t]->refresh();
    return *workers_[t];
  }

  /// Numbers [begin, end) of a row's weights or biases.
  void mix(int row, int i, float* kernel, long long begin, long long end) const {
    bool first = true;
    for (int e = 0; e < node_.experts; ++e) {
      const auto w = static_cast<float>(at.routing->weights(row, e));
      if (w == 0) continue;
      const float* from = param(i, e);
      if (first) {
#pragma omp simd
        for (long long j = begin; j < end; ++j) kernel[j] = w * from[j];
      } else {
#pragma omp simd
        for (long long j = begin; j < end; ++j) kernel[j] += w * from[j];
      }
      first = false;
    }
    if (first) std::fill(kernel + begin, kernel + end, 0.f);
  }

  /// dW_e = Σ_r w_re · dW_r, and dw_re = ⟨dW_r, W_e⟩, for rows [first, end) whose kernels' gradients lie in `grads`.
  void unmix(const float* grads, int first, int end) {
    const int pairs = rows_at_once * node_.experts;
    [[maybe_unused]] const long long numbers = (end - first) * sizes_[0] * node_.experts;
#pragma omp parallel for schedule(static) num_threads(threads_) if (worth_sharing(numbers))
    for (long long n = 0; n < blocks(); ++n) {
      const int i = op_.bias && n + 1 == blocks() ? 1 : 0;
      const long long begin = i ? 0 : n * block, stop = i ? sizes_[1] : std::min(sizes_[0], begin + block);
      double* slopes = slopes_.data() + n * pairs;
      for (int e = 0; e < node_.experts; ++e) {
        const float* weights = param(i, e);
        float* grad = wants_param(i) ? param_grad(i, e) : nullptr;
        if (grad && first == 0) start(grad + begin, stop - begin, adds_to_param(i));
        for (int r = first; r < end; ++r) {
          const auto w = static_cast<float>(at.routing->weights(r, e));
          if (w == 0) continue;
          const float* dw = grads + (r - first) * (kernel_bytes() / sizeof(float)) + (i ? sizes_[0] : 0);
          slopes[(r - first) * node_.experts + e] = dot(dw, weights, begin, stop);
          if (!grad) continue;
#pragma omp simd
          for (long long j = begin; j < stop; ++j) grad[j] += w * dw[j];
        }
      }
    }
    for (int r = first; r < end; ++r)
      for (int e = 0; e < node_.experts; ++e)
        if (at.routing->weights(r, e) > 0)
          for (long long n = 0; n < blocks(); ++n)
            at.routing_grads->weights(r, e) += slopes_[n * pairs + (r - first) * node_.experts + e];
  }

  static double dot(const float* a, const float* b, long long begin, long long end) {
    double sum = 0;
    for (long long from = begin; from < end; from += 1024) {
      float part = 0;
      const long long to = std::min(end, from + 1024);
#pragma omp simd reduction(+ : part)
      for (long long j = from; j < to; ++j) part += a[j] * b[j];
      sum += part;
    }
    return sum;
  }

  ops::Conv op_;
  int rows_, threads_ = thread_count();
  int solo_rows_ = 0;  // those beyond are shared by all threads
  std::size_t team_forward_ = 0, team_backward_ = 0;
  long long src_row_ = 0, dst_row_ = 0;
  std::array<long long, 2> sizes_{};
  std::vector<std::unique_ptr<ConvKernel>> workers_;  // per thread, and one for the rows that are shared
  std::vector<BindingsOf<float>> bindings_;
  NodeNeeds inner_;
  std::vector<double> slopes_;
};

}  // namespace moecnn::onednn
