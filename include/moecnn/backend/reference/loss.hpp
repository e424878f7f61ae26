#pragma once
#include "moecnn/backend/host/exp.hpp"
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::reference {

/// Softmax and negative log-likelihood. Pixels are many, so threads share them, and vectors hold one class of many of
/// them; sums are taken over parts of images that do not depend on the number of threads.
template <class T>
class CrossEntropyKernel final : public NodeKernel<T> {
 public:
  CrossEntropyKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::CrossEntropy>(this->node_.op)) {
    if (op_.class_weights >= 0) weights_ = g.class_weights[op_.class_weights];
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    n.saved = {sizeof(T) * static_cast<std::size_t>(all_pixels())};              // log Σ exp of each
    n.scratch_forward = 2 * sizeof(double) * static_cast<std::size_t>(parts());  // loss and weight of each
    return n;
  }

  void forward(const StepContext&) override {
    check_labels();
    double* sums = reinterpret_cast<double*>(at.scratch_forward);
    for_each_part([&](long long part) { sums[2 * part] = sums[2 * part + 1] = 0; },
                  [&](long long part, long long first, int count, const T* x) {
                    T* log_z = log_sums() + first;
                    log_sum_exp(x, count, log_z);
                    for (int j = 0; j < count; ++j) {
                      const int label = at.labels[first + j];
                      if (label == op_.ignore) continue;
                      sums[2 * part] += weight_of(label) * (static_cast<double>(log_z[j]) - x[label * pixels() + j]);
                      sums[2 * part + 1] += weight_of(label);
                    }
                  });
    double loss = 0;
    weight_ = 0;
    for (long long part = 0; part < parts(); ++part) loss += sums[2 * part], weight_ += sums[2 * part + 1];
    *at.loss = weight_ > 0 ? loss / weight_ : 0;
    at.output[0] = static_cast<T>(op_.factor * *at.loss);
  }

  void backward(const StepContext&) override {
    for_each_part([](long long) {},
                  [&](long long, long long first, int count, const T* x) {
                    T* dx = at.input_grad[0] + (x - at.input[0]);
                    const int* label = at.labels + first;
                    const T* log_z = log_sums() + first;
                    Stretch<T> scale;
                    for (int j = 0; j < count; ++j)
                      scale[j] = label[j] == op_.ignore || weight_ <= 0
                                     ? T(0)
                                     : static_cast<T>(op_.factor * weight_of(label[j]) / weight_);
                    for (int c = 0; c < classes(); ++c, x += pixels(), dx += pixels())
                      deliver_all(dx, this->adds_to_input(0), count, [=, &scale](long long j, int) {
                        const T slope = (exp_of(x[j] - log_z[j]) - (label[j] == c ? T(1) : T(0))) * scale[j];
                        return scale[j] == 0 ? T(0) : slope;  // whatever the logits of an ignored pixel are
                      });
                  });
  }

 private:
  using NodeKernel<T>::at;
  static constexpr int runs = 8;  // of pixels, per part

  long long pixels() const { return this->in_[0].extent.pixels(); }
  long long all_pixels() const { return this->in_[0].extent.n * pixels(); }
  long long parts_per_image() const { return (pixels() + runs * stretch - 1) / (runs * stretch); }
  long long parts() const { return this->in_[0].extent.n * parts_per_image(); }
  int classes() const { return this->in_[0].channels; }
  double weight_of(int label) const { return weights_.empty() ? 1.0 : weights_[label]; }
  T* log_sums() const { return reinterpret_cast<T*>(at.saved[0]); }

  /// Calls `begin(part)` and then `visit(part, number of the first pixel, pixels, its logits)` for every run of a part;
  /// the logit of class c and pixel j is x[c · pixels() + j].
  template <class Begin, class F>
  void for_each_part(const Begin& begin, const F& visit) const {
#pragma omp parallel for schedule(static) if (worth_sharing(all_pixels() * classes()))
    for (long long part = 0; part < parts(); ++part) {
      const long long image = part / parts_per_image(), from = part % parts_per_image() * runs * stretch;
      begin(part);
      for (long long p = from; p < std::min(from + runs * stretch, pixels()); p += stretch)
        visit(part, image * pixels() + p, static_cast<int>(std::min<long long>(stretch, pixels() - p)),
              at.input[0] + image * classes() * pixels() + p);
    }
  }

  /// log Σ_c exp x_c for up to `stretch` pixels.
  void log_sum_exp(const T* x, int count, T* result) const {
    Stretch<T> top, sum{};
    std::copy_n(x, count, top.begin());
    for (int c = 1; c < classes(); ++c)
      in_stretches(count, [&top, l = x + c * pixels()](long long j, int) { top[j] = l[j] > top[j] ? l[j] : top[j]; });
    for (int c = 0; c < classes(); ++c)
      in_stretches(count, [&top, &sum, l = x + c * pixels()](long long j, int) { sum[j] += exp_of(l[j] - top[j]); });
    for (int j = 0; j < count; ++j) result[j] = top[j] + std::log(sum[j]);
  }

  void check_labels() const {
    for (long long i = 0; i < all_pixels(); ++i) {
      const int label = at.labels[i];
      if ((label >= 0 && label < classes()) || (label == op_.ignore && op_.ignore != -1)) [[likely]]
        continue;
      if (pixels() == 1) fail("row {} has the label {}, the network has classes 0 … {}", i, label, classes() - 1);
      fail("row {}, pixel {} has the label {}, the network has classes 0 … {}{}", i / pixels(), i % pixels(), label,
           classes() - 1, op_.ignore == -1 ? std::string() : formatted(" and ignores {}", op_.ignore));
    }
  }

  ops::CrossEntropy op_;
  std::vector<double> weights_;
  double weight_ = 0;  // of all labels of the last forward pass
};

template <class T>
struct KernelFor<T, ops::CrossEntropy> {
  using type = CrossEntropyKernel<T>;
};

}  // namespace moecnn::reference
