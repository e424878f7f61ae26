#pragma once
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::reference {

template <class T>
class GlobalAvgPoolKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  void forward(const StepContext&) override {
    const long long pixels = in_[0].extent.pixels();
    for (long long i = 0; i < planes(); ++i) {
      double sum = 0;
      for (long long p = 0; p < pixels; ++p) sum += at.input[0][i * pixels + p];
      at.output[i] = static_cast<T>(sum / pixels);
    }
  }

  void backward(const StepContext&) override {
    const long long pixels = in_[0].extent.pixels();
    for (long long i = 0; i < planes(); ++i)
      for (long long p = 0; p < pixels; ++p)
        this->deliver(at.input_grad[0][i * pixels + p], static_cast<double>(at.output_grad[i]) / pixels,
                      this->adds_to_input(0));
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  long long planes() const { return 1LL * this->rows() * in_[0].channels; }
};

template <class T>
class MaxPoolKernel final : public NodeKernel<T> {
 public:
  MaxPoolKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::MaxPool>(this->node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.saved = {sizeof(int) * static_cast<std::size_t>(out_.elements())};  // where the largest value was found
    return n;
  }

  void forward(const StepContext&) override {
    const Extent x = in_[0].extent, y = out_.extent;
    for (long long plane = 0; plane < planes(); ++plane) {
      const T* in = at.input[0] + plane * x.pixels();
      for (int oh = 0; oh < y.h; ++oh)
        for (int ow = 0; ow < y.w; ++ow) {
          int best = -1;
          for (int kh = 0; kh < op_.kernel.h; ++kh)
            for (int kw = 0; kw < op_.kernel.w; ++kw) {
              const int ih = oh * op_.stride.h - op_.pad.h + kh, iw = ow * op_.stride.w - op_.pad.w + kw;
              if (ih < 0 || ih >= x.h || iw < 0 || iw >= x.w) continue;
              const int i = ih * x.w + iw;
              if (best < 0 || in[i] > in[best] || in[i] != in[i]) best = i;  // NaN wins, so that it is seen
            }
          const long long o = plane * y.pixels() + oh * y.w + ow;
          at.output[o] = in[best];
          indices()[o] = best;
        }
    }
  }

  void backward(const StepContext&) override {
    const long long in_pixels = in_[0].extent.pixels(), out_pixels = out_.extent.pixels();
    this->start(at.input_grad[0], planes() * in_pixels, this->adds_to_input(0));
    for (long long plane = 0; plane < planes(); ++plane)
      for (long long o = plane * out_pixels; o < (plane + 1) * out_pixels; ++o)
        at.input_grad[0][plane * in_pixels + indices()[o]] += at.output_grad[o];
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;
  long long planes() const { return 1LL * this->rows() * in_[0].channels; }
  int* indices() const { return reinterpret_cast<int*>(at.saved[0]); }
  ops::MaxPool op_;
};

template <class T>
struct KernelFor<T, ops::GlobalAvgPool> {
  using type = GlobalAvgPoolKernel<T>;
};
template <class T>
struct KernelFor<T, ops::MaxPool> {
  using type = MaxPoolKernel<T>;
};

}  // namespace moecnn::reference
