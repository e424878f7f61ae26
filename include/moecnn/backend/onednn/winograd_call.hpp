#pragma once
/// \file
/// Winograd's form as the passes of a convolution node see it.

#include "moecnn/backend/onednn/conv_transpose.hpp"
#include "moecnn/backend/onednn/primitive.hpp"
#include "moecnn/backend/onednn/winograd.hpp"

#include <memory>

namespace moecnn::onednn {

/// One pass for one number of rows. Pointers: the node's input, weights, its output, bias; for backward data, in the
/// place of the bias, what is to be added, null for nothing.
template <int B>
class WinogradCall final : public Call {
 public:
  WinogradCall(Winograd<B> form, const ConvProblem& p, Pass pass, int rows)
      : Call(std::string(pass_names[static_cast<int>(pass)]) + " own Winograd", form.scratch_bytes(pass, rows)),
        form_(std::move(form)),
        op_(p.op),
        pass_(pass),
        rows_(rows),
        pixels_(p.dst.pixels()) {
    if (op_.bias && pass == Pass::backward_weights) bias_sums_.resize(p.out());
  }

 private:
  void compute(const void* const* pointers, void* memory) override {
    const auto from = [&](int i) { return static_cast<const float*>(pointers[i]); };
    const auto to = [&](int i) { return static_cast<float*>(const_cast<void*>(pointers[i])); };
    auto* scratch = static_cast<float*>(memory);
    if (pass_ == Pass::backward_data) return form_.backward_data(from(2), from(1), from(3), to(0), rows_, scratch);
    if (pass_ == Pass::forward)
      return form_.forward(from(0), from(1), op_.bias ? from(3) : nullptr, op_.residual ? from(2) : nullptr, op_.relu,
                           to(2), rows_, scratch);
    form_.backward_weights(from(0), from(2), to(1), rows_, scratch);
    if (!op_.bias) return;
    detail::sum_channels<B>(from(2), rows_, static_cast<int>(bias_sums_.size()), pixels_, bias_sums_.data());
    std::copy(bias_sums_.begin(), bias_sums_.end(), to(3));
  }

  Winograd<B> form_;
  ops::Conv op_;
  Pass pass_;
  int rows_;
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
inline std::unique_ptr<Call> make_winograd(const ConvProblem& p, Pass pass, int rows) {
  constexpr int b = detail::vector_floats;
  if constexpr (b >= 8)
    if (has_winograd(p)) return std::make_unique<WinogradCall<b>>(Winograd<b>(p), p, pass, rows);
  return nullptr;
}

}  // namespace moecnn::onednn
