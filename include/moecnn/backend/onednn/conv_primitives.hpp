#pragma once
/// \file
/// The calls of one convolution node for every row count that has been met.

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
    if (dims_of(from_->desc()) == dims_of(to_->desc())) reorder_ = make_reorder(from_->desc(), to_->desc());
  }
  void run(const float* x, float* y) {
    reorder_ ? reorder_->run({x, y}, nullptr, 0) : WeightsLayout::convert(*from_, x, *to_, y);
  }

 private:
  Layout from_, to_;
  std::unique_ptr<Primitive> reorder_;
};

/// The three convolutions of a node. Only the row count differs between calls of one kind, so a look-up is an index; two
/// nodes of the same sizes share oneDNN's code through its own cache.
class ConvPrimitives {
 public:
  ConvPrimitives() = default;
  ConvPrimitives(ConvChoice choice, const ConvUse& use) : choice_(std::move(choice)), use_(use) {
    for (auto& list : by_rows_) list.resize(use.rows + 1);
  }

  const ConvChoice& choice() const { return choice_; }

  Call& get(Pass pass, int rows) {
    auto& p = by_rows_[static_cast<int>(pass)][rows];
    if (p) {
      detail::cache_hits.fetch_add(1, std::memory_order_relaxed);
    } else {
      detail::cache_misses.fetch_add(1, std::memory_order_relaxed);
      p = make(pass, rows);
    }
    return *p;
  }

  /// The most scratch memory that any of some typical row counts takes.
  std::size_t scratch_bytes(Pass pass) {
    std::size_t bytes = 0;
    const int most = choice_.most_rows(pass, use_.rows);
    for (int rows = 1; rows < most; rows *= 2) bytes = std::max(bytes, make(pass, rows)->scratch_bytes());
    return std::max(bytes, make(pass, most)->scratch_bytes());
  }

  /// Names of the implementations that have been used so far.
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const auto& pass : by_rows_)
      for (const auto& p : pass)
        if (p && std::find(list.begin(), list.end(), p->name()) == list.end()) list.push_back(p->name());
    return list;
  }

 private:
  std::unique_ptr<Call> make(Pass pass, int rows) const {
    const auto attr = user_scratchpad();
    const ConvProblem& p = choice_.of(pass);
    const detail::ThreadsFor threads(p.products(rows));
    if (choice_.uses_winograd(pass, rows)) return make_winograd(p, pass, rows);
    const Desc& weights = pass == Pass::forward         ? choice_.weights
                          : pass == Pass::backward_data ? choice_.data_weights
                                                        : choice_.weights_grad;
    const auto d = p.descs(rows, weights, use_.bias && pass != Pass::backward_data);
    if (use_.by_forward(pass)) {
      const auto pd = conv_forward(d, use_.transposed || use_.backward_weights, use_.forward_attr);
      return build(dnnl::convolution_forward(pd), pd, pass, d, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST,
                   DNNL_ARG_BIAS);
    }
    const auto hint = conv_forward(p.descs(rows, choice_.weights, use_.bias), true, attr);
    if (pass != Pass::backward_weights) {
      const auto pd = conv_backward_data(d, hint, attr);
      return build(dnnl::convolution_backward_data(pd), pd, pass, d, DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS,
                   DNNL_ARG_DIFF_DST, DNNL_ARG_BIAS);
    }
    const auto pd = conv_backward_weights(d, hint, attr);
    return build(dnnl::convolution_backward_weights(pd), pd, pass, d, DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS,
                 DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_BIAS);
  }

  /// The pointers' order: the node's input, weights, its output, bias.
  template <class P>
  std::unique_ptr<Call> build(const dnnl::primitive& prim, const P& pd, Pass pass, const ConvDescs& d, int src,
                              int weights, int dst, int bias) const {
    const std::string name = std::string(pass_names[static_cast<int>(pass)]) + " " + pd.impl_info_str();
    const Primitive::Argument from{src, d.src}, by{weights, d.weights}, to{dst, d.dst};
    const auto made = [&](std::initializer_list<Primitive::Argument> arguments) {
      return std::make_unique<Primitive>(prim, pd.scratchpad_desc(), arguments, name);
    };
    if (d.has_bias) return made({from, by, to, {bias, d.bias}});
    return use_.transposed ? made({to, by, from}) : made({from, by, to});
  }

  ConvChoice choice_;
  ConvUse use_;
  std::array<std::vector<std::unique_ptr<Call>>, 3> by_rows_;
};

}  // namespace moecnn::onednn
