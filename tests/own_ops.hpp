#pragma once
/// Operations as users write them, for the tests of CustomOp and HostOp.

#include "moecnn/backend/host/host_op.hpp"
#include "moecnn/graph/recorder.hpp"

#include <cmath>

namespace moecnn::test {

/// y[c, p] = a_c · tanh(x[c, p]) · mean over channels of z[., p]. Parameter `a` [C] and a buffer that counts rows in
/// training. Saves what backward() reads, so no input is kept; has scratch memory.
struct Gated : HostOp<Gated> {
  std::string name() const override { return "gated"; }
  int inputs() const override { return 2; }
  MapShape output(std::span<const MapShape> in) const override {
    check(in[0].h == in[1].h && in[0].w == in[1].w, "maps of {}x{} and {}x{} pixels; resize one", in[0].h, in[0].w,
          in[1].h, in[1].w);
    return in[0];
  }
  std::vector<CustomParam> params(std::span<const MapShape> in) const override {
    return {{"a", {in[0].channels}, Init::ones}, {"rows", {1}, Init::zeros, 0, false}};
  }
  long long macs(std::span<const MapShape> in) const override { return in[1].elements(); }
  HostNeeds needs(std::span<const MapShape> in) const override {
    return {.keep_inputs = false,
            .saved = {in[0].elements(), in[0].pixels()},
            .scratch_forward = in[0].channels,
            .scratch_backward = in[0].pixels()};
  }

  template <class T>
  void forward(const HostRows<T>& r) const {
    const long long pixels = r.out.pixels();
    if (r.step->training) r.param[1][0] += static_cast<T>(r.rows);
    for (int row = 0; row < r.rows; ++row) {
      T *t = r.saved[0] + row * r.in[0].elements(), *m = r.saved[1] + row * pixels,
        *a = r.scratch + row * r.out.channels;
      for (int c = 0; c < r.out.channels; ++c) a[c] = r.param[0][c];
      for (long long p = 0; p < pixels; ++p) {
        m[p] = 0;
        for (int c = 0; c < r.in[1].channels; ++c)
          m[p] += r.x[1][row * r.in[1].elements() + c * pixels + p] / static_cast<T>(r.in[1].channels);
      }
      for (long long i = 0; i < r.out.elements(); ++i) {
        t[i] = std::tanh(r.x[0][row * r.out.elements() + i]);
        r.y[row * r.out.elements() + i] = a[i / pixels] * t[i] * m[i % pixels];
      }
    }
  }
  template <class T>
  void backward(const HostRows<T>& r) const {
    const long long pixels = r.out.pixels(), numbers = r.out.elements();
    for (int row = 0; row < r.rows; ++row) {
      const T *t = r.saved[0] + row * numbers, *m = r.saved[1] + row * pixels, *dy = r.dy + row * numbers;
      T* dm = r.scratch + row * pixels;
      for (long long p = 0; p < pixels; ++p) dm[p] = 0;
      for (long long i = 0; i < numbers; ++i) {
        const T a = r.param[0][i / pixels];
        if (r.dparam[0]) r.dparam[0][i / pixels] += dy[i] * t[i] * m[i % pixels];
        if (r.dx[0]) r.dx[0][row * numbers + i] += dy[i] * a * (1 - t[i] * t[i]) * m[i % pixels];
        dm[i % pixels] += dy[i] * a * t[i];
      }
      for (long long i = 0; r.dx[1] && i < r.in[1].elements(); ++i)
        r.dx[1][row * r.in[1].elements() + i] += dm[i % pixels] / static_cast<T>(r.in[1].channels);
    }
  }
};

/// y = x minus the mean over all rows of the call: rows of one expert depend on each other alone. Cheap to make again.
struct Centred : HostOp<Centred> {
  std::string name() const override { return "centred"; }
  MapShape output(std::span<const MapShape> in) const override { return in[0]; }
  HostNeeds needs(std::span<const MapShape>) const override { return {.rebuild = true}; }

  template <class T>
  void forward(const HostRows<T>& r) const {
    subtract_mean(r.rows, r.out.elements(), r.x[0], [&](long long i, T v) { r.y[i] = v; });
  }
  template <class T>
  void backward(const HostRows<T>& r) const {
    if (r.dx[0]) subtract_mean(r.rows, r.out.elements(), r.dy, [&](long long i, T v) { r.dx[0][i] += v; });
  }

  template <class T, class F>
  static void subtract_mean(int rows, long long row, const T* x, const F& visit) {
    for (long long i = 0; i < row; ++i) {
      T mean = 0;
      for (int n = 0; n < rows; ++n) mean += x[n * row + i] / static_cast<T>(rows);
      for (int n = 0; n < rows; ++n) visit(n * row + i, x[n * row + i] - mean);
    }
  }
};

/// exp(-x²) of every second pixel of a line, twice as many channels: another shape, and only the output is kept beside the
/// input. The negative half has the sign turned.
struct Bells : HostOp<Bells> {
  std::string name() const override { return "bells"; }
  MapShape output(std::span<const MapShape> in) const override { return {2 * in[0].channels, in[0].h, in[0].w / 2}; }
  HostNeeds needs(std::span<const MapShape>) const override { return {.keep_output = true}; }

  template <class T>
  void forward(const HostRows<T>& r) const {
    for_each(r, [&](long long i, long long o, T sign) { r.y[o] = sign * std::exp(-r.x[0][i] * r.x[0][i]); });
  }
  template <class T>
  void backward(const HostRows<T>& r) const {
    if (r.dx[0]) for_each(r, [&](long long i, long long o, T) { r.dx[0][i] -= 2 * r.x[0][i] * r.y[o] * r.dy[o]; });
  }

  template <class T, class F>
  static void for_each(const HostRows<T>& r, const F& visit) {
    const MapShape in = r.in[0];
    for (int row = 0; row < r.rows; ++row)
      for (int c = 0; c < r.out.channels; ++c)
        for (int h = 0; h < r.out.h; ++h)
          for (int w = 0; w < r.out.w; ++w)
            visit(((1LL * row * in.channels + c % in.channels) * in.h + h) * in.w + 2 * w,
                  ((1LL * row * r.out.channels + c) * r.out.h + h) * r.out.w + w, c < in.channels ? T(1) : T(-1));
  }
};

/// Rounds: no gradient passes. Its numbers stay in full precision.
struct Rounded : HostOp<Rounded> {
  std::string name() const override { return "rounded"; }
  MapShape output(std::span<const MapShape> in) const override { return in[0]; }
  bool carries_gradient() const override { return false; }
  bool full_precision() const override { return true; }
  template <class T>
  void forward(const HostRows<T>& r) const {
    for (long long i = 0; i < r.size(); ++i) r.y[i] = std::round(r.x[0][i]);
  }
};

/// The test says where each of them is wrong.
struct Broken : HostOp<Broken> {
  MapShape shape{};
  std::string name() const override { return "broken"; }
  MapShape output(std::span<const MapShape> in) const override { return shape.channels ? shape : in[0]; }
  void forward(const HostRows<float>& r) const { std::copy_n(r.x[0], r.size(), r.y); }  // float alone, no backward()
};

}  // namespace moecnn::test
