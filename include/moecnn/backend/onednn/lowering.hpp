#pragma once
/// \file
/// Graphs to kernels of oneDNN and own loops.

#include "moecnn/backend/host/converted.hpp"
#include "moecnn/backend/onednn/conv.hpp"
#include "moecnn/backend/onednn/depthwise.hpp"
#include "moecnn/backend/onednn/formats.hpp"
#include "moecnn/backend/onednn/linear.hpp"
#include "moecnn/backend/onednn/mixed_conv.hpp"
#include "moecnn/backend/onednn/norm.hpp"
#include "moecnn/backend/onednn/pool.hpp"
#include "moecnn/graph/custom.hpp"

namespace moecnn::onednn {

/// Lowers node by node. B: channels per block on this CPU. Kernels compute in float; where tensors are bf16 they are given
/// widened copies, which are stored in the same order.
template <int B>
class Lowering {
 public:
  Lowering(const Graph& g, const Flow& f, const Layouts& given)
      : g_(g), f_(f), blocked_(blocked_edges(g)), decided_(g.params.size(), 0) {
    low_.value_layout.resize(g.edges.size());
    low_.param_layout = given;
    low_.param_layout.resize(g.params.size());
    std::fill_n(decided_.begin(), std::min(given.size(), decided_.size()), 1);
    masters_.assign(g.params.size(), -1);
    for (const Derived& d : g.derived)
      for (int e = 0; e < d.experts && d.how == Derived::How::cast; ++e) masters_[d.derived_weight + e] = d.weight + e;
    for (std::size_t e = 0; e < g.edges.size(); ++e)
      if (blocked_[e])
        low_.value_layout[e] =
            of_type(g.edges[e].dtype, std::make_shared<BlockedLayout>(g.edges[e], B), g.edges[e].elements());
    low_.grad_layout = low_.value_layout;
    for (n_ = 0; n_ < static_cast<int>(g.nodes.size()); ++n_) {
      native_ = host::is_uniform(g, g.nodes[n_], DType::f32);
      Made kernel = dispatch(g.nodes[n_].op, [&](const auto& op) -> Made { return lower(op); });
      if (!native_)
        kernel =
            std::make_unique<host::Converted<float>>(g, f, n_, std::move(kernel), low_.value_layout, low_.param_layout);
      low_.kernels.push_back(std::move(kernel));
    }
  }

  Lowered take() { return std::move(low_); }

 private:
  using Made = std::unique_ptr<Kernel>;

  bool blocked_input(int i = 0) const { return blocked_[g_.nodes[n_].inputs[i]]; }
  bool blocked_output() const { return blocked_[g_.nodes[n_].output]; }
  template <class K, class... Args>
  Made make(Args... args) const {
    return std::make_unique<K>(g_, f_, n_, args...);
  }
  /// Operations for which this backend has no kernel of its own.
  template <class Op>
  Made lower(const Op&) {
    using K = typename reference::KernelFor<float, Op>::type;
    if constexpr (K::takes_bf16) {
      static_assert(K::orders == host::Orders::rows);
      if (maps_in_bf16()) return make<typename reference::KernelFor<Bf16, Op>::type>(row_elements());
    }
    if constexpr (K::orders == host::Orders::rows)
      return make<K>(row_elements());
    else if constexpr (K::orders == host::Orders::planes)
      return make<K>(unit());
    else if constexpr (K::orders == host::Orders::factors || K::orders == host::Orders::each)
      return make<K>(units());
    else
      return make<K>();
  }

  Made lower(const ops::Conv& op) {
    if (blocked_input() && blocked_output() && slow_depthwise(g_, f_, n_, op))
      return lower_conv<DepthwiseKernel<B>>(op);
    if (maps_in_bf16()) return lower_conv<ConvKernelOf<Bf16>>(op, blocked_input(), blocked_output());
    return lower_conv<ConvKernel>(op, blocked_input(), blocked_output());
  }
  /// Whether the node's inputs and output are bf16 and its parameters floats; a kernel for that is chosen then.
  bool maps_in_bf16() {
    const Node& n = g_.nodes[n_];
    native_ = native_ ||
              (std::all_of(n.inputs.begin(), n.inputs.end(), [&](int e) { return g_.edges[e].dtype == DType::bf16; }) &&
               g_.output_of(n).dtype == DType::bf16 &&
               std::all_of(n.params.begin(), n.params.end(), [&](int p) { return g_.params[p].dtype == DType::f32; }));
    return g_.output_of(n).dtype == DType::bf16 && native_;
  }
  Made lower(const ops::ConvTranspose& op) {
    return lower_conv<ConvKernel>(mirrored(op), blocked_input(), blocked_output());
  }
  Made lower(const ops::MixedConv& op) {
    return lower_conv<MixedConvKernel>(op.conv, blocked_input(), blocked_output());
  }

  template <class K, class... Formats>
  Made lower_conv(const ops::Conv& op, Formats... formats) {
    const int id = g_.nodes[n_].params[0], master = masters_[id] < 0 ? id : masters_[id];
    auto kernel = std::make_unique<K>(g_, f_, n_, formats..., stored(op, master));
    for (int e = 0; e < g_.nodes[n_].experts; ++e) {
      if (!decided_[master + e]) low_.param_layout[master + e] = kernel->weights_layout(), decided_[master + e] = 1;
      // The gradient lies as the master does, and so do the copies that the kernel reads.
      if (master != id && !low_.param_layout[id + e])
        low_.param_layout[id + e] =
            of_type(g_.params[id + e].dtype, kernel->weights_layout(), g_.params[id + e].elements());
    }
    return kernel;
  }
  /// The same order of elements of another type.
  static std::shared_ptr<const Layout> of_type(DType t, std::shared_ptr<const host::TypedLayout<float>> layout,
                                               long long elements) {
    if (t == DType::f32) return layout;
    return std::make_shared<host::Bf16Layout<float>>(std::move(layout), elements);
  }
  /// How weights lie that a program or a node before this one has decided about; null if this node may choose.
  ConvKernel::Stored stored(const ops::Conv& op, int id) const {
    if (!decided_[id]) return nullptr;
    const auto& layout = low_.param_layout[id];
    auto known = std::dynamic_pointer_cast<const WeightsLayout>(layout);
    check(known || !layout, "{}: weights laid out by another backend; make the model and its programs on one backend",
          g_.params[id].name);
    if (known) return known;
    const Dims shape = ConvProblem{op, {}, {}, false, false}.shape();
    const auto tag = shape.size() == 5 ? dnnl::memory::format_tag::abcde : dnnl::memory::format_tag::abcd;
    return std::make_shared<WeightsLayout>(shape, Desc(shape, dnnl::memory::data_type::f32, tag));
  }

  Made lower(const ops::BatchNorm& op) {
    if (!blocked_output()) return lower<ops::BatchNorm>(op);
    return maps_in_bf16() ? make<BlockedNormKernel<B, Bf16>>() : make<BlockedNormKernel<B, float>>();
  }
  Made lower(const ops::Linear&) { return make<LinearKernel>(); }
  Made lower(const ops::GlobalAvgPool& op) {
    return blocked_input() ? make<GlobalAvgPoolKernel<B>>() : lower<ops::GlobalAvgPool>(op);
  }
  Made lower(const ops::MaxPool& op) { return blocked_output() ? make<MaxPoolKernel<B>>() : lower<ops::MaxPool>(op); }
  Made lower(const ops::ArgMaxPool& op) {
    return blocked_output() ? make<ArgMaxPoolKernel<B>>() : lower<ops::ArgMaxPool>(op);
  }
  Made lower(const ops::Custom&) { return lower_custom({"onednn", DType::f32}, g_, f_, n_); }

  /// Channels that lie side by side in the output, and in all inputs and the output.
  int unit() const { return blocked_output() ? B : 1; }
  std::vector<int> units() const {
    std::vector<int> all;
    for (int e : g_.nodes[n_].inputs) all.push_back(blocked_[e] ? B : 1);
    all.push_back(unit());
    return all;
  }
  /// Stored elements of a row of the output.
  std::size_t row_elements() const {
    const Edge& e = g_.edges[g_.nodes[n_].output];
    return static_cast<std::size_t>(e.extent.pixels()) * (blocked_output() ? round_up(e.channels, B) : e.channels);
  }

  const Graph& g_;
  const Flow& f_;
  std::vector<char> blocked_;
  std::vector<char> decided_;  // per parameter: its layout cannot be chosen any more
  std::vector<int> masters_;   // per parameter: that of which it is a copy in bf16; -1: of none
  Lowered low_;
  int n_ = 0;
  bool native_ = false;  // the kernel of node n_ takes its tensors as they are
};

/// oneDNN's implementations of a program's convolutions, as "node: forward …".
inline std::vector<std::string> implementations(const Lowered& low) {
  std::vector<std::string> list;
  for (const auto& k : low.kernels) {
    const auto* converted = dynamic_cast<const host::Converted<float>*>(k.get());
    if (const auto* d = dynamic_cast<const Described*>(converted ? &converted->inner() : k.get()))
      for (const std::string& i : d->implementations()) list.push_back(d->node_name() + ": " + i);
  }
  return list;
}

}  // namespace moecnn::onednn
