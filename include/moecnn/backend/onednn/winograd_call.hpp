#pragma once
/// \file
/// Winograd's form as the passes of a convolution node see it.

#include "moecnn/backend/onednn/conv_transpose.hpp"
#include "moecnn/backend/onednn/winograd.hpp"

#include <initializer_list>
#include <memory>
#include <string>

namespace moecnn::onednn {

/// One pass, for any number of rows: nothing is made for a number that was not met before.
class WinogradPass {
 public:
  explicit WinogradPass(Pass pass) : name_(std::string(pass_names[static_cast<int>(pass)]) + " own Winograd") {}
  virtual ~WinogradPass() = default;

  const std::string& name() const { return name_; }
  virtual std::size_t scratch_bytes(int rows) const = 0;

  /// Pointers: the node's input, weights, its output, bias; for backward data, instead of the bias, what is to be added,
  /// null for nothing. `scratch` has `reserved` bytes, at least scratch_bytes(rows).
  void run(int rows, std::initializer_list<const void*> pointers, void* scratch, std::size_t reserved) {
    check(scratch_bytes(rows) <= reserved, "{} of {} rows needs {} bytes of scratch memory, but the plan has {}", name_,
          rows, scratch_bytes(rows), reserved);
    compute(rows, pointers.begin(), static_cast<float*>(scratch));
  }

 private:
  virtual void compute(int rows, const void* const* pointers, float* scratch) = 0;

  std::string name_;
};

template <int B>
class WinogradPassOf final : public WinogradPass {
 public:
  WinogradPassOf(const ConvProblem& p, Pass pass)
      : WinogradPass(pass), form_(p), op_(p.op), pass_(pass), pixels_(p.dst.pixels()) {
    if (op_.bias && pass == Pass::backward_weights) bias_sums_.resize(p.out());
  }

  std::size_t scratch_bytes(int rows) const override { return form_.scratch_bytes(pass_, rows); }

 private:
  void compute(int rows, const void* const* pointers, float* scratch) override {
    const auto from = [&](int i) { return static_cast<const float*>(pointers[i]); };
    const auto to = [&](int i) { return static_cast<float*>(const_cast<void*>(pointers[i])); };
    if (pass_ == Pass::backward_data) return form_.backward_data(from(2), from(1), from(3), to(0), rows, scratch);
    if (pass_ == Pass::forward)
      return form_.forward(from(0), from(1), op_.bias ? from(3) : nullptr, op_.residual ? from(2) : nullptr, op_.relu,
                           to(2), rows, scratch);
    form_.backward_weights(from(0), from(2), to(1), rows, scratch);
    if (!op_.bias) return;
    detail::sum_channels<B>(from(2), rows, static_cast<int>(bias_sums_.size()), pixels_, bias_sums_.data());
    std::copy(bias_sums_.begin(), bias_sums_.end(), to(3));
  }

  Winograd<B> form_;
  ops::Conv op_;
  Pass pass_;
  long long pixels_;
  std::vector<double> bias_sums_;
};

/// Own loops are worth their while only with the vectors of this CPU, that is where the program was compiled for them.
inline bool has_winograd(const ConvProblem& p) { return detail::vector_floats == channel_block() && knows_winograd(p); }

/// How the weights must lie.
inline Desc winograd_weights(const ConvProblem& p) {
  using Tag = dnnl::memory::format_tag;
  return Desc(p.weights(), dnnl::memory::data_type::f32, channel_block() == 16 ? Tag::OIhw16i16o : Tag::OIhw8i8o);
}

/// Null where there is none, see has_winograd().
inline std::unique_ptr<WinogradPass> make_winograd(const ConvProblem& p, Pass pass) {
  constexpr int b = detail::vector_floats;
  if constexpr (b >= 8)
    if (has_winograd(p)) return std::make_unique<WinogradPassOf<b>>(p, pass);
  return nullptr;
}

}  // namespace moecnn::onednn
