#pragma once
/// \file
/// The calls of one convolution node, for every row count that has been met.

#include "moecnn/backend/onednn/conv_choice.hpp"
#include "moecnn/backend/onednn/primitive.hpp"

namespace moecnn::onednn {

/// A reorder between two ways of storing the same tensor.
inline std::unique_ptr<Primitive> make_reorder(const Desc& from, const Desc& to) {
  const auto threads = detail::ThreadsFor::copying(from);
  const dnnl::reorder::primitive_desc pd(engine(), from, engine(), to, user_scratchpad());
  return std::make_unique<Primitive>(
      dnnl::reorder(pd), pd.scratchpad_desc(),
      std::initializer_list<Primitive::Argument>{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}},
      std::string("reorder ") + pd.impl_info_str());
}

/// Weights from one way of storing them to another, step by step. Allocates only where the two differ in their padding.
class WeightsConversion {
 public:
  using Layout = std::shared_ptr<const WeightsLayout>;

  WeightsConversion(Layout from, Layout to) : from_(std::move(from)), to_(std::move(to)) {
    if (dims_of(from_->desc()) != dims_of(to_->desc())) return;
    reorder_ = make_reorder(from_->desc(), to_->desc());
    scratch_.resize(reorder_->scratch_bytes());
  }
  void run(const float* x, float* y) {
    reorder_ ? reorder_->run({x, y}, scratch_.data(), scratch_.size()) : WeightsLayout::convert(*from_, x, *to_, y);
  }

 private:
  Layout from_, to_;
  std::unique_ptr<Primitive> reorder_;
  std::vector<std::byte> scratch_;
};

/// The three convolutions of a node. Only the row count differs between calls of one kind, so a look-up is an index; two
/// nodes of the same sizes share oneDNN's code through its own cache. Winograd's form knows all row counts.
class ConvPrimitives {
 public:
  ConvPrimitives() = default;
  ConvPrimitives(ConvChoice choice, const ConvUse& use) : choice_(std::move(choice)), use_(use) {
    for (const Pass pass : passes) {
      by_rows_[at(pass)].resize(use.rows + 1);
      if (choice_.winograd_from[at(pass)] == 0) continue;
      winograd_[at(pass)] = make_winograd(choice_.of(pass), pass);
      const detail::OneThread alone;
      winograd_alone_[at(pass)] = make_winograd(choice_.of(pass), pass);
    }
  }

  const ConvChoice& choice() const { return choice_; }

  /// Pointers: the node's input, weights, its output, bias. `scratch` has `reserved` bytes, at least scratch_bytes().
  void run(Pass pass, int rows, std::initializer_list<const void*> pointers, void* scratch, std::size_t reserved) {
    if (choice_.uses_winograd(pass, rows)) return winograd(pass, rows).run(rows, pointers, scratch, reserved);
    get(pass, rows).run(pointers, scratch, reserved);
  }

  /// Makes what run() would make.
  void prepare(Pass pass, int rows) {
    if (!choice_.uses_winograd(pass, rows)) get(pass, rows);
  }

  /// Scratch memory of a call. Asks oneDNN, but makes no primitive: that takes a thirtieth of the time.
  std::size_t scratch_bytes(Pass pass, int rows) const {
    if (choice_.uses_winograd(pass, rows)) return winograd(pass, rows).scratch_bytes(rows);
    return describe<std::size_t>(pass, rows,
                                 [](const auto& pd, const ConvDescs&) { return pd.scratchpad_desc().get_size(); });
  }

  /// Names of Winograd's form where it was chosen, and of the implementations that have been used so far.
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    const auto add = [&](const std::string& name) {
      if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
    };
    for (const Pass pass : passes) {
      if (winograd_[at(pass)]) add(winograd_[at(pass)]->name());
      for (const auto& p : by_rows_[at(pass)])
        if (p) add(p->name());
    }
    return list;
  }

 private:
  using Made = std::unique_ptr<Primitive>;

  static constexpr int at(Pass pass) { return static_cast<int>(pass); }

  WinogradPass& winograd(Pass pass, int rows) const {
    const bool share = primitive_worth_sharing(choice_.of(pass).products(rows));
    return *(share ? winograd_ : winograd_alone_)[at(pass)];
  }

  Primitive& get(Pass pass, int rows) {
    auto& p = by_rows_[at(pass)][rows];
    if (p)
      detail::cache_hits.fetch_add(1, std::memory_order_relaxed);
    else
      p = make_counted([&] {
        return describe<Made>(pass, rows, [&](const auto& pd, const ConvDescs& d) { return build(pd, pass, d); });
      });
    return *p;
  }

  /// Returns the result of `visit(oneDNN's description of a call, its tensors)`.
  template <class R, class F>
  R describe(Pass pass, int rows, const F& visit) const {
    const auto attr = user_scratchpad();
    const ConvProblem& p = choice_.of(pass);
    const detail::ThreadsFor threads(p.products(rows));
    const Desc& weights = pass == Pass::forward         ? choice_.weights
                          : pass == Pass::backward_data ? choice_.data_weights
                                                        : choice_.weights_grad;
    const auto d = p.descs(rows, weights, use_.bias && pass != Pass::backward_data);
    if (use_.by_forward(pass))
      return visit(conv_forward(d, use_.transposed || use_.backward_weights, use_.forward_attr), d);
    const auto hint = conv_forward(p.descs(rows, choice_.weights, use_.bias), true, attr);
    return pass == Pass::backward_weights ? visit(conv_backward_weights(d, hint, attr), d)
                                          : visit(conv_backward_data(d, hint, attr), d);
  }

  Made build(const dnnl::convolution_forward::primitive_desc& pd, Pass pass, const ConvDescs& d) const {
    return build<dnnl::convolution_forward>(pd, pass, d, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS);
  }
  Made build(const dnnl::convolution_backward_data::primitive_desc& pd, Pass pass, const ConvDescs& d) const {
    return build<dnnl::convolution_backward_data>(pd, pass, d, DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST,
                                                  DNNL_ARG_BIAS);
  }
  Made build(const dnnl::convolution_backward_weights::primitive_desc& pd, Pass pass, const ConvDescs& d) const {
    return build<dnnl::convolution_backward_weights>(pd, pass, d, DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS,
                                                     DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_BIAS);
  }
  template <class P>
  Made build(const typename P::primitive_desc& pd, Pass pass, const ConvDescs& d, int src, int weights, int dst,
             int bias) const {
    const std::string name = std::string(pass_names[at(pass)]) + " " + pd.impl_info_str();
    const Primitive::Argument from{src, d.src}, by{weights, d.weights}, to{dst, d.dst};
    const auto made = [&](std::initializer_list<Primitive::Argument> arguments) {
      return std::make_unique<Primitive>(P(pd), pd.scratchpad_desc(), arguments, name);
    };
    if (d.has_bias) return made({from, by, to, {bias, d.bias}});
    return use_.transposed ? made({to, by, from}) : made({from, by, to});
  }

  ConvChoice choice_;
  ConvUse use_;
  std::array<std::vector<Made>, 3> by_rows_;
  std::array<std::unique_ptr<WinogradPass>, 3> winograd_, winograd_alone_;  // by all threads, and by one
};

}  // namespace moecnn::onednn
