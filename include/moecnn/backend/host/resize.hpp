#pragma once
#include "moecnn/backend/host/planes.hpp"
#include "moecnn/core/sampling.hpp"

namespace moecnn::host {

/// Every output pixel is a weighted mean of up to four of the input. The backward pass goes line by line through the
/// input, so that no two threads write to one: first the output's lines that read it are added up, then their columns.
template <class T>
class ResizeKernel final : public PlaneKernel<T> {
 public:
  ResizeKernel(const Graph& g, const Flow& f, int n, int unit = 1) : PlaneKernel<T>(g, f, n, unit) {
    const auto& op = std::get<ops::Resize>(this->node_.op);
    const auto taps = [&](int in, int out) {
      Taps list;
      for (int i = 0; i < out; ++i) {
        const int nearest = nearest_source(i, in, out);
        const Tap tap =
            op.mode == ops::Sampling::nearest ? Tap{nearest, nearest, 0} : bilinear_tap(i, in, out, op.align_corners);
        list.lo.push_back(tap.lo), list.hi.push_back(tap.t == 0 ? tap.lo : tap.hi);
        list.t.push_back(static_cast<T>(tap.t));
      }
      return list;
    };
    lines_ = taps(in_[0].extent.h, out_.extent.h);
    columns_ = taps(in_[0].extent.w, out_.extent.w);
    // Taps move on with the output, so that the lines that read a line stand together.
    readers_.assign(in_[0].extent.h, {out_.extent.h, 0});
    for (int y = 0; y < out_.extent.h; ++y)
      for (const int h : {lines_.lo[y], lines_.hi[y]})
        readers_[h] = {std::min(readers_[h].first, y), std::max(readers_[h].second, y + 1)};
  }

  void forward(const StepContext&) override {
    const Extent x = in_[0].extent, y = out_.extent;
    with_unit<T>(this->unit_, [&](auto unit) {
      constexpr int u = decltype(unit)::value;
      this->for_each_line(y.h, [&](long long plane, int line) {
        const T* in = at.input[0] + plane * this->plane_size(in_[0]);
        const T *upper = in + 1LL * lines_.lo[line] * x.w * u, *lower = in + 1LL * lines_.hi[line] * x.w * u;
        T* out = at.output + (plane * y.h + line) * y.w * u;
        if (lines_.t[line] == 0)
          mix<u>(columns_, y.w, out, [upper](long long i) { return upper[i]; });
        else
          mix<u>(columns_, y.w, out,
                 [=, t = lines_.t[line]](long long i) { return (1 - t) * upper[i] + t * lower[i]; });
      });
    });
  }
  void backward(const StepContext&) override {
    const Extent x = in_[0].extent, y = out_.extent;
    with_unit<T>(this->unit_, [&](auto unit) {
      constexpr int u = decltype(unit)::value;
      this->for_each_line(x.h, [&](long long plane, int line) {
        const T* dy = at.output_grad + plane * this->plane_size();
        T* dx = at.input_grad[0] + (plane * x.h + line) * x.w * u;
        this->start(dx, x.w * u, this->adds_to_input(0));
        constexpr int part = 16 * chunk / u;  // columns at a time
        for (int c = 0; c < y.w; c += part) {
          T sums[16 * chunk] = {};
          const int count = std::min(part, y.w - c);
          for (int l = readers_[line].first; l < readers_[line].second; ++l) {
            const T* from = dy + (1LL * l * y.w + c) * u;
            const T weight = (lines_.lo[l] == line ? 1 - lines_.t[l] : 0) + (lines_.hi[l] == line ? lines_.t[l] : 0);
            if (weight != 0) in_chunks(count * u, [=, &sums](long long i, int) { sums[i] += weight * from[i]; });
          }
          for (int i = 0; i < count; ++i) {
            const T t = columns_.t[c + i];
            T *lo = dx + columns_.lo[c + i] * u, *hi = dx + columns_.hi[c + i] * u;
            for (int l = 0; l < u; ++l) lo[l] += (1 - t) * sums[i * u + l];
            for (int l = 0; l < u && t != 0; ++l) hi[l] += t * sums[i * u + l];
          }
        }
      });
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;

  /// Per output pixel along one axis, see Tap. Where t is 0, `hi` is `lo`.
  struct Taps {
    std::vector<int> lo, hi;
    std::vector<T> t;
  };

  /// A line of the output from a line of the input, `in(i)`. A tap of weight 0 is not read, so that what lies there
  /// (infinity, NaN) does not matter.
  template <int u, class F>
  static void mix(const Taps& columns, int count, T* out, const F& in) {
    const int *lo = columns.lo.data(), *hi = columns.hi.data();
    const T* t = columns.t.data();
#pragma omp simd if (u == 1)
    for (int c = 0; c < count; ++c)
      for (int l = 0; l < u; ++l) {
        const T a = in(lo[c] * u + l), b = in(hi[c] * u + l), mean = (1 - t[c]) * a + t[c] * b;
        out[c * u + l] = t[c] == 0 ? a : mean;
      }
  }

  Taps lines_, columns_;
  std::vector<std::pair<int, int>>
      readers_;  // per line of the input: the lines of the output that read it, and the end
};

/// Copies what the window and the map have in common.
template <class T>
class WindowKernel final : public PlaneKernel<T> {
 public:
  WindowKernel(const Graph& g, const Flow& f, int n, int unit = 1)
      : PlaneKernel<T>(g, f, n, unit), op_(std::get<ops::Window>(this->node_.op)) {}

  void forward(const StepContext&) override {
    this->for_each_plane([&](long long plane) {
      T* y = at.output + plane * this->plane_size();
      std::fill_n(y, this->plane_size(), T(0));
      for_each_common_line([&](long long in, long long out, long long n) {
        std::copy_n(at.input[0] + plane * this->plane_size(this->in_[0]) + in, n, y + out);
      });
    });
  }
  void backward(const StepContext&) override {
    this->for_each_plane([&](long long plane) {
      const long long size = this->plane_size(this->in_[0]);
      T* dx = at.input_grad[0] + plane * size;
      this->start(dx, size, this->adds_to_input(0));
      for_each_common_line([&](long long in, long long out, long long n) {
        const T* dy = at.output_grad + plane * this->plane_size() + out;
        deliver_all(dx + in, true, n, [dy](long long i, int) { return dy[i]; });
      });
    });
  }

 private:
  using NodeKernel<T>::at;
  /// Calls `visit(first number of the input's plane, of the output's, numbers)`.
  template <class F>
  void for_each_common_line(const F& visit) const {
    const Extent x = this->in_[0].extent, y = this->out_.extent;
    const int first = std::max(0, -op_.left), last = std::min(y.w, x.w - op_.left), u = this->unit_;
    for (int row = std::max(0, -op_.top); first < last && row < std::min(y.h, x.h - op_.top); ++row)
      visit(((row + op_.top) * 1LL * x.w + op_.left + first) * u, (1LL * row * y.w + first) * u,
            1LL * (last - first) * u);
  }
  ops::Window op_;
};

template <class T>
struct KernelFor<T, ops::Resize> {
  using type = ResizeKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Window> {
  using type = WindowKernel<T>;
};

}  // namespace moecnn::host
