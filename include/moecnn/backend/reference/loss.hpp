#pragma once
#include "moecnn/backend/host/exp.hpp"
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::reference {

/// A loss over logits [n, classes, h, w]. Pixels are many, so threads share them, and vectors hold one class of many of
/// them; sums are taken over parts of images that do not depend on the number of threads.
template <class T>
class LossKernel : public NodeKernel<T> {
 public:
  LossKernel(const Graph& g, const Flow& f, int n, int class_weights) : NodeKernel<T>(g, f, n) {
    if (class_weights >= 0) weights_ = g.class_weights[class_weights];
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input = {1, 1};
    n.scratch_forward = sizeof(LossResult) * static_cast<std::size_t>(parts());
    return n;
  }
  void bind(const Bindings& b) override {
    NodeKernel<T>::bind(b);
    result_ = static_cast<LossResult*>(b.output);
  }

 protected:
  using NodeKernel<T>::at;
  static constexpr int runs = 8;  // of pixels, per part

  long long pixels() const { return this->in_[0].extent.pixels(); }
  long long all_pixels() const { return this->in_[0].extent.n * pixels(); }
  long long parts_per_image() const { return (pixels() + runs * chunk - 1) / (runs * chunk); }
  long long parts() const { return this->in_[0].extent.n * parts_per_image(); }
  int classes() const { return this->in_[0].channels; }
  double weight_of(int c) const { return weights_.empty() ? 1.0 : weights_[c]; }
  bool weighted() const { return !weights_.empty(); }
  /// Σ of the weights in the last forward pass.
  double weight() const { return weight_; }

  /// Calls `visit(part, number of the first pixel, pixels, where its logit of class 0 lies)` for every run of a part; the
  /// logit of class c and pixel j lies c · pixels() + j further.
  template <class F>
  void for_each_run(const F& visit) const {
#pragma omp parallel for schedule(static) if (worth_sharing(all_pixels() * classes()))
    for (long long part = 0; part < parts(); ++part) {
      const long long image = part / parts_per_image(), from = part % parts_per_image() * runs * chunk;
      for (long long p = from; p < std::min(from + runs * chunk, pixels()); p += chunk)
        visit(part, image * pixels() + p, static_cast<int>(std::min<long long>(chunk, pixels() - p)),
              image * classes() * pixels() + p);
    }
  }

  /// A forward pass: `visit(sums, first pixel, pixels, first logit)` adds to the sums of a part, of which `mean` is the
  /// weighted loss.
  template <class F>
  void sum(const F& visit) {
    auto* sums = reinterpret_cast<LossResult*>(at.scratch_forward);
    std::fill_n(sums, parts(), LossResult{});
    for_each_run([&](long long part, long long first, int count, long long x) { visit(sums[part], first, count, x); });
    LossResult all;
    for (long long part = 0; part < parts(); ++part) {
      all.mean += sums[part].mean, all.weight += sums[part].weight;
      all.counted += sums[part].counted, all.hits += sums[part].hits;
    }
    weight_ = all.weight;
    all.mean = all.weight > 0 ? all.mean / all.weight : 0;
    *result_ = all;
  }

 private:
  std::vector<double> weights_;
  LossResult* result_ = nullptr;
  double weight_ = 0;
};

/// Softmax and negative log-likelihood.
template <class T>
class CrossEntropyKernel final : public LossKernel<T> {
 public:
  CrossEntropyKernel(const Graph& g, const Flow& f, int n)
      : LossKernel<T>(g, f, n, std::get<ops::CrossEntropy>(g.nodes[n].op).class_weights),
        op_(std::get<ops::CrossEntropy>(g.nodes[n].op)) {
    for (int c = 0; c < classes(); ++c) all_weights_ += weight_of(c);
  }

  NodeNeeds needs() const override {
    NodeNeeds n = LossKernel<T>::needs();
    n.saved = {sizeof(T) * static_cast<std::size_t>(this->all_pixels())};  // log Σ exp of each
    return n;
  }
  void bind(const Bindings& b) override {
    LossKernel<T>::bind(b);
    labels_ = static_cast<const std::int32_t*>(b.input[1]);
  }

  void forward(const StepContext&) override {
    this->sum([this](LossResult& sums, long long first, int count, long long at_x) {
      const T* x = at.input[0] + at_x;
      T* log_z = log_sums() + first;
      Best best;
      log_sum_exp(x, count, log_z, best);
      Chunk<T> all{};  // Σ of the weighted logits
      if (op_.smoothing > 0) weighted_sum(x, count, all);
      for (int j = 0; j < count; ++j) {
        const int label = labels_[first + j];
        if (label == op_.ignore) continue;
        const T own = x[label * pixels() + j];
        double loss = weight_of(label) * (static_cast<double>(log_z[j]) - own);
        if (op_.smoothing > 0) loss += op_.smoothing * ((all_weights_ * log_z[j] - all[j]) / classes() - loss);
        sums.mean += loss, sums.weight += weight_of(label);
        sums.counted += 1, sums.hits += best.winner[j] == label && own == best.top[j];
      }
    });
  }

  void backward(const StepContext&) override {
    this->for_each_run([this](long long, long long first, int count, long long at_x) {
      const T *x = at.input[0] + at_x, *log_z = log_sums() + first;
      T* dx = at.input_grad[0] + at_x;
      const std::int32_t* label = labels_ + first;
      Chunk<T> scale, common;
      for (int j = 0; j < count; ++j) {
        const bool counts = label[j] != op_.ignore && this->weight() > 0;
        const double one = counts ? op_.factor / this->weight() : 0;
        scale[j] = static_cast<T>(counts ? (1 - op_.smoothing) * one * weight_of(label[j]) : 0);
        common[j] = static_cast<T>(op_.smoothing / classes() * one);
      }
      if (op_.smoothing > 0)
        smoothed(x, dx, log_z, label, count, scale, common);
      else
        for (int c = 0; c < classes(); ++c, x += pixels(), dx += pixels())
          deliver_all(dx, this->adds_to_input(0), count, [=, &scale](long long j, int) {
            const T slope = (exp_of(x[j] - log_z[j]) - (label[j] == c ? T(1) : T(0))) * scale[j];
            return scale[j] == 0 ? T(0) : slope;  // whatever the logits of an ignored pixel are
          });
    });
  }

 private:
  using NodeKernel<T>::at;
  using LossKernel<T>::pixels;
  using LossKernel<T>::classes;
  using LossKernel<T>::weight_of;

  struct Best {
    Chunk<T> top;
    std::array<std::int32_t, chunk> winner;
  };

  T* log_sums() const { return reinterpret_cast<T*>(at.saved[0]); }

  /// log Σ_c exp x_c for up to `chunk` pixels, and the highest logit, of the lowest class that has it.
  void log_sum_exp(const T* x, int count, T* result, Best& best) const {
    Chunk<T> sum{};
    std::copy_n(x, count, best.top.begin());
    std::fill_n(best.winner.begin(), count, 0);
    for (int c = 1; c < classes(); ++c)
      in_chunks(count, [c, &best, l = x + c * pixels()](long long j, int) {
        best.winner[j] = l[j] > best.top[j] ? c : best.winner[j];
        best.top[j] = l[j] > best.top[j] ? l[j] : best.top[j];
      });
    for (int c = 0; c < classes(); ++c)
      in_chunks(count, [&best, &sum, l = x + c * pixels()](long long j, int) { sum[j] += exp_of(l[j] - best.top[j]); });
    for (int j = 0; j < count; ++j) result[j] = best.top[j] + std::log(sum[j]);
  }

  void weighted_sum(const T* x, int count, Chunk<T>& all) const {
    for (int c = 0; c < classes(); ++c)
      in_chunks(count, [&all, w = static_cast<T>(weight_of(c)), l = x + c * pixels()](long long j, int) {
        all[j] += w * l[j];
      });
  }

  /// Backward with label smoothing.
  void smoothed(const T* x, T* dx, const T* log_z, const std::int32_t* label, int count, const Chunk<T>& scale,
                const Chunk<T>& common) const {
    const T all = static_cast<T>(all_weights_);
    for (int c = 0; c < classes(); ++c, x += pixels(), dx += pixels())
      deliver_all(dx, this->adds_to_input(0), count,
                  [=, &scale, &common, w = static_cast<T>(weight_of(c))](long long j, int) {
                    const T p = exp_of(x[j] - log_z[j]);
                    const T slope = (p - (label[j] == c ? T(1) : T(0))) * scale[j] + (p * all - w) * common[j];
                    return common[j] == 0 ? T(0) : slope;
                  });
  }

  ops::CrossEntropy op_;
  double all_weights_ = 0;  // Σ over classes
  const std::int32_t* labels_ = nullptr;
};

/// Sigmoid and negative log-likelihood, every class by itself.
template <class T>
class BinaryCrossEntropyKernel final : public LossKernel<T> {
 public:
  BinaryCrossEntropyKernel(const Graph& g, const Flow& f, int n)
      : LossKernel<T>(g, f, n, std::get<ops::BinaryCrossEntropy>(g.nodes[n].op).class_weights),
        factor_(std::get<ops::BinaryCrossEntropy>(g.nodes[n].op).factor) {}

  void forward(const StepContext&) override {
    this->sum([this](LossResult& sums, long long, int count, long long first) {
      for (int c = 0; c < this->classes(); ++c, first += this->pixels())
        for (int j = 0; j < count; ++j) {
          const double x = at.input[0][first + j], t = at.input[1][first + j];
          if (t < 0) continue;
          // log(1 + exp(-|x|)) is all that is left of both logarithms where |x| is large
          const double rest = std::log1p(std::exp(-std::abs(x)));
          sums.mean += this->weight_of(c) * t * (std::max(-x, 0.0) + rest) + (1 - t) * (std::max(x, 0.0) + rest);
          sums.weight += 1, sums.counted += 1, sums.hits += (x > 0) == (t > 0.5) && x == x;
        }
    });
  }

  void backward(const StepContext&) override {
    this->for_each_run([this](long long, long long, int count, long long first) {
      const double scale = this->weight() > 0 ? factor_ / this->weight() : 0;
      for (int c = 0; c < this->classes(); ++c, first += this->pixels())
        for (int j = 0; j < count; ++j) {
          const double x = at.input[0][first + j], t = at.input[1][first + j], p = 1 / (1 + std::exp(-x));
          const double slope = (1 - t) * p - this->weight_of(c) * t * (1 - p);
          this->deliver(at.input_grad[0][first + j], t < 0 ? 0.0 : scale * slope, this->adds_to_input(0));
        }
    });
  }

 private:
  using NodeKernel<T>::at;
  double factor_;
};

template <class T>
struct KernelFor<T, ops::CrossEntropy> {
  using type = CrossEntropyKernel<T>;
};
template <class T>
struct KernelFor<T, ops::BinaryCrossEntropy> {
  using type = BinaryCrossEntropyKernel<T>;
};

}  // namespace moecnn::reference
