#pragma once
/// \file
/// Primitives of one convolution node for every row count that has been met, and the count of those that had to be made.

#include "moecnn/backend/onednn/conv_choice.hpp"

#include <atomic>

namespace moecnn::onednn {

/// How often a primitive was found and how often it had to be made, over the whole process.
struct CacheStats {
  long long hits = 0, misses = 0;
};

namespace detail {
inline std::atomic<long long> cache_hits{0}, cache_misses{0};
}  // namespace detail

inline CacheStats cache_stats() { return {detail::cache_hits.load(), detail::cache_misses.load()}; }

/// Greater than zero while oneDNN runs. What it allocates by itself, a few hundred bytes per call, is not ours to avoid;
/// a test that counts allocations looks here.
inline thread_local int inside_library = 0;

/// One primitive with its arguments bound; only pointers change from call to call.
class Primitive {
 public:
  struct Argument {
    int id;
    Desc desc;
  };

  Primitive(dnnl::primitive p, const Desc& scratchpad, std::initializer_list<Argument> arguments, std::string name)
      : primitive_(std::move(p)), name_(std::move(name)), scratch_bytes_(scratchpad.get_size()) {
    for (const Argument& a : arguments) add(a.id, a.desc);
    add(DNNL_ARG_SCRATCHPAD, scratchpad);
    for (std::size_t i = 0; i < memory_.size(); ++i) c_args_.push_back({ids_[i], memory_[i].get()});
  }
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

  const std::string& name() const { return name_; }
  std::size_t scratch_bytes() const { return scratch_bytes_; }

  /// `pointers` in the order of the arguments; `scratch` has `reserved` bytes.
  void run(std::initializer_list<const void*> pointers, void* scratch, std::size_t reserved) {
    if (scratch_bytes_ > reserved) own_scratch_.resize(scratch_bytes_), scratch = own_scratch_.data();
    ++inside_library;
    std::size_t i = 0;
    for (const void* p : pointers) memory_[i++].set_data_handle(const_cast<void*>(p));
    memory_.back().set_data_handle(scratch);
    const auto status =
        dnnl_primitive_execute(primitive_.get(), stream().get(), static_cast<int>(c_args_.size()), c_args_.data());
    --inside_library;
    check(status == dnnl_success, "oneDNN could not run {} (status {})", name_, static_cast<int>(status));
  }

 private:
  void add(int id, const Desc& desc) {
    ids_.push_back(id);
    memory_.emplace_back(desc, engine(), static_cast<void*>(nullptr));
  }

  dnnl::primitive primitive_;
  std::string name_;
  std::size_t scratch_bytes_ = 0;
  std::vector<int> ids_;
  std::vector<dnnl::memory> memory_;
  std::vector<dnnl_exec_arg_t> c_args_;
  std::vector<std::byte> own_scratch_;  // for a row count that needs more than was planned for
};

/// A reorder between two ways of storing the same tensor.
inline std::unique_ptr<Primitive> make_reorder(const Desc& from, const Desc& to) {
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

/// The three convolutions of a node. Only the row count differs between primitives of one kind, so a look-up is an
/// index; two nodes of the same sizes share oneDNN's code through its own cache.
class ConvPrimitives {
 public:
  ConvPrimitives() = default;
  ConvPrimitives(ConvChoice choice, const ConvUse& use) : choice_(std::move(choice)), use_(use) {
    for (auto& list : by_rows_) list.resize(use.rows + 1);
  }

  const ConvChoice& choice() const { return choice_; }

  Primitive& get(Pass pass, int rows) {
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
  std::unique_ptr<Primitive> make(Pass pass, int rows) const {
    const auto attr = user_scratchpad();
    const ConvProblem& p = choice_.of(pass);
    const bool winograd = choice_.uses_winograd(pass, rows);
    const Desc& weights = winograd || pass == Pass::forward ? choice_.weights
                          : pass == Pass::backward_data     ? choice_.data_weights
                                                            : choice_.weights_grad;
    const auto d = p.descs(rows, weights, use_.bias && pass != Pass::backward_data, winograd);
    if (use_.by_forward(pass)) {
      const auto pd = conv_forward(d, use_.transposed || use_.backward_weights || winograd, use_.forward_attr);
      return build(dnnl::convolution_forward(pd), pd, pass, d, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST,
                   DNNL_ARG_BIAS);
    }
    const auto hint = conv_forward(p.descs(rows, choice_.weights, use_.bias, winograd), true, attr);
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
  std::unique_ptr<Primitive> build(const dnnl::primitive& prim, const P& pd, Pass pass, const ConvDescs& d, int src,
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
  std::array<std::vector<std::unique_ptr<Primitive>>, 3> by_rows_;
};

}  // namespace moecnn::onednn
