#pragma once
/// \file
/// How tensors are stored: maps in blocks of channels, weights as the convolutions want them.

#include "moecnn/backend/host/typed_layout.hpp"
#include "moecnn/backend/onednn/threads.hpp"

namespace moecnn::onednn {

constexpr int round_up(int n, int block) { return (n + block - 1) / block * block; }

/// Rows [C, pixels] to [blocks, pixels, B], with zeros in the channels beyond C. X and Y: float or Bf16.
template <class X, class Y>
void to_blocks(const X* plain, Y* stored, int rows, int channels, long long pixels, int block) {
  const int blocks = round_up(channels, block) / block;
#pragma omp parallel for collapse(2) if (worth_sharing(1LL * rows * channels * pixels))
  for (int r = 0; r < rows; ++r)
    for (int b = 0; b < blocks; ++b) {
      const X* x = plain + (1LL * r * channels + b * block) * pixels;
      Y* y = stored + (1LL * r * blocks + b) * pixels * block;
      const int there = std::min(block, channels - b * block);
      for (long long p = 0; p < pixels; ++p)
        for (int l = 0; l < block; ++l) y[p * block + l] = l < there ? Y(x[l * pixels + p]) : Y(0.f);
    }
}

/// The way back; padding is dropped.
template <class X, class Y>
void from_blocks(const X* stored, Y* plain, int rows, int channels, long long pixels, int block) {
  const int blocks = round_up(channels, block) / block;
#pragma omp parallel for collapse(2) if (worth_sharing(1LL * rows * channels * pixels))
  for (int r = 0; r < rows; ++r)
    for (int b = 0; b < blocks; ++b) {
      const X* x = stored + (1LL * r * blocks + b) * pixels * block;
      Y* y = plain + (1LL * r * channels + b * block) * pixels;
      const int there = std::min(block, channels - b * block);
      for (int l = 0; l < there; ++l)
        for (long long p = 0; p < pixels; ++p) y[l * pixels + p] = Y(x[p * block + l]);
    }
}

/// A map [n, C, h, w] stored as [n, C/B, h, w, B] (oneDNN's nChw16c or nChw8c).
class BlockedLayout final : public host::TypedLayout<float> {
 public:
  explicit BlockedLayout(const Edge& e, int block)
      : rows_(e.extent.n), channels_(e.channels), block_(block), pixels_(e.extent.pixels()) {}

  std::size_t elements() const override {
    return static_cast<std::size_t>(rows_) * round_up(channels_, block_) * pixels_;
  }
  void pack(const float* plain, float* stored) const override {
    to_blocks(plain, stored, rows_, channels_, pixels_, block_);
  }
  void unpack(const float* stored, float* plain) const override {
    from_blocks(stored, plain, rows_, channels_, pixels_, block_);
  }

 private:
  int rows_, channels_, block_;
  long long pixels_;
};

/// Convolution weights as oneDNN stores them. Where a side is blocked, oneDNN is told the padded number of channels, so
/// that it never meets a tail; the weights of those channels are zero.
class WeightsLayout final : public host::TypedLayout<float> {
 public:
  /// `shape`: [out, in / groups, kh, kw], or with the groups in front; `desc` has at least these sizes in each place.
  WeightsLayout(Dims shape, Desc desc) : shape_(std::move(shape)), desc_(std::move(desc)) {
    const auto padded = dims_of(desc_);
    plain_ = Desc(padded, dnnl::memory::data_type::f32, padded.size() == 5 ? Tag::abcde : Tag::abcd);
    padded_ = padded != shape_;
  }

  bool same_as(const Layout& other) const override {
    const auto* o = dynamic_cast<const WeightsLayout*>(&other);
    return o != nullptr && o->shape_ == shape_ && o->desc_ == desc_;
  }

  const Desc& desc() const { return desc_; }
  const Dims& shape() const { return shape_; }
  std::size_t elements() const override { return desc_.get_size() / sizeof(float); }

  void pack(const float* plain, float* stored) const override {
    if (!padded_) return reorder(plain_, const_cast<float*>(plain), desc_, stored);
    std::vector<float> wide(plain_.get_size() / sizeof(float));
    for_each_run([&](long long from, long long to, long long n) { std::copy_n(plain + from, n, wide.data() + to); });
    reorder(plain_, wide.data(), desc_, stored);
  }
  void unpack(const float* stored, float* plain) const override {
    if (!padded_) return reorder(desc_, const_cast<float*>(stored), plain_, plain);
    std::vector<float> wide(plain_.get_size() / sizeof(float));
    reorder(desc_, const_cast<float*>(stored), plain_, wide.data());
    for_each_run([&](long long to, long long from, long long n) { std::copy_n(wide.data() + from, n, plain + to); });
  }

  /// From one way of storing to another. Not for every step: it may allocate.
  static void convert(const WeightsLayout& from, const float* x, const WeightsLayout& to, float* y) {
    if (from.desc_ == to.desc_) {
      std::memcpy(y, x, to.desc_.get_size());
    } else if (dims_of(from.desc_) == dims_of(to.desc_)) {
      reorder(from.desc_, const_cast<float*>(x), to.desc_, y);
    } else {
      long long n = 1;
      for (auto d : from.shape_) n *= d;
      std::vector<float> plain(n);
      from.unpack(x, plain.data());
      to.pack(plain.data(), y);
    }
  }

 private:
  using Tag = dnnl::memory::format_tag;

  static void reorder(const Desc& from, float* x, const Desc& to, float* y) {
    const auto threads = detail::ThreadsFor::copying(from);
    dnnl::memory a(from, engine(), x), b(to, engine(), y);
    dnnl::reorder(a, b).execute(stream(), a, b);
    stream().wait();
  }

  /// Calls `visit(plain offset, padded offset, elements)` for every stretch that is contiguous in both.
  template <class F>
  void for_each_run(const F& visit) const {
    const auto wide = dims_of(desc_);
    const std::size_t first = wide.size() - 4;  // 1 with groups
    const long long groups = first ? shape_[0] : 1, wide_out = wide[first], wide_in = wide[first + 1];
    const long long out = shape_[first], in = shape_[first + 1], window = shape_[first + 2] * shape_[first + 3];
    for (long long g = 0; g < groups; ++g)
      for (long long o = 0; o < out; ++o)
        visit((g * out + o) * in * window, (g * wide_out + o) * wide_in * window, in * window);
  }

  Dims shape_;
  Desc desc_, plain_;
  bool padded_ = false;
};

}  // namespace moecnn::onednn
