#pragma once
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::reference {

/// Copies `count` channels of `rows` rows, or adds them.
template <class T>
void move_channels(const T* from, int from_channels, T* to, int to_channels, int count, int rows, long long pixels,
                   bool add) {
  for (int r = 0; r < rows; ++r) {
    const T* x = from + 1LL * r * from_channels * pixels;
    T* y = to + 1LL * r * to_channels * pixels;
    if (add)
      for (long long i = 0; i < count * pixels; ++i) y[i] += x[i];
    else
      std::copy_n(x, count * pixels, y);
  }
}

template <class T>
class ConcatKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  void forward(const StepContext&) override {
    for_each_part([&](std::size_t i, int channels, long long offset) {
      move_channels(at.input[i], channels, at.output + offset, out_.channels, channels, this->rows(), pixels(), false);
    });
  }
  void backward(const StepContext&) override {
    for_each_part([&](std::size_t i, int channels, long long offset) {
      if (this->wants_input(i))
        move_channels(at.output_grad + offset, out_.channels, at.input_grad[i], channels, channels, this->rows(),
                      pixels(), this->adds_to_input(i));
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::out_;
  long long pixels() const { return out_.extent.pixels(); }
  /// Calls `work(input, its channels, where it begins in a row of the output)`.
  template <class F>
  void for_each_part(const F& work) const {
    long long offset = 0;
    for (std::size_t i = 0; i < this->in_.size(); ++i) {
      work(i, this->in_[i].channels, offset);
      offset += this->in_[i].channels * pixels();
    }
  }
};

template <class T>
class SliceKernel final : public NodeKernel<T> {
 public:
  SliceKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::Slice>(this->node_.op)) {}

  void forward(const StepContext&) override {
    move_channels(at.input[0] + op_.first * pixels(), channels(), at.output, op_.count, op_.count, this->rows(),
                  pixels(), false);
  }
  void backward(const StepContext&) override {
    this->start(at.input_grad[0], 1LL * this->rows() * channels() * pixels(), this->adds_to_input(0));
    move_channels(at.output_grad, op_.count, at.input_grad[0] + op_.first * pixels(), channels(), op_.count,
                  this->rows(), pixels(), true);
  }

 private:
  using NodeKernel<T>::at;
  int channels() const { return this->in_[0].channels; }
  long long pixels() const { return this->out_.extent.pixels(); }
  ops::Slice op_;
};

template <class T>
class ScaleKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input = {this->wants_input(1), this->wants_input(0)};
    n.inplace_forward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    for_each_plane([&](long long plane, long long begin) {
      for (long long i = begin; i < begin + pixels(); ++i) at.output[i] = at.input[0][i] * at.input[1][plane];
    });
  }
  void backward(const StepContext&) override {
    if (this->wants_input(0))
      for_each_plane([&](long long plane, long long begin) {
        for (long long i = begin; i < begin + pixels(); ++i)
          this->deliver(at.input_grad[0][i], at.output_grad[i] * at.input[1][plane], this->adds_to_input(0));
      });
    if (this->wants_input(1))
      for_each_plane([&](long long plane, long long begin) {
        double sum = 0;
        for (long long i = begin; i < begin + pixels(); ++i) sum += at.output_grad[i] * at.input[0][i];
        this->deliver(at.input_grad[1][plane], sum, this->adds_to_input(1));
      });
  }

 private:
  using NodeKernel<T>::at;
  long long pixels() const { return this->out_.extent.pixels(); }
  template <class F>
  void for_each_plane(const F& work) const {
    for (long long plane = 0; plane < 1LL * this->rows() * this->out_.channels; ++plane) work(plane, plane * pixels());
  }
};

template <class T>
struct KernelFor<T, ops::Concat> {
  using type = ConcatKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Slice> {
  using type = SliceKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Scale> {
  using type = ScaleKernel<T>;
};

}  // namespace moecnn::reference
