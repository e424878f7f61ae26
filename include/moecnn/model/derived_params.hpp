#pragma once
/// \file
/// The derived parameters of a program: convolution weights with the batch norm folded in, and copies in a lower precision.

#include "moecnn/model/param_store.hpp"

namespace moecnn {

class DerivedParams {
 public:
  DerivedParams() = default;

  /// For every parameter of `g` beyond those of the store. allocate() comes before anything else.
  DerivedParams(const Graph& g, int recorded, const Layouts& layouts) : first_(recorded), layouts_(layouts) {
    layouts_.resize(g.params.size());
    for (std::size_t i = first_; i < g.params.size(); ++i) {
      offsets_.push_back(bytes_);
      bytes_ += (stored_bytes(g.params[i], layouts_[i].get()) + 63) / 64 * 64;
    }
  }
  std::size_t bytes() const { return bytes_; }
  void allocate(Memory& memory) { memory_ = DeviceBuffer(memory, bytes_); }

  std::byte* value_data(int id) const { return memory_.data() + offsets_[static_cast<std::size_t>(id - first_)]; }

  /// Makes all anew from the store's present values. Allocates the first time only.
  void refresh(const Graph& g, const ParamStore& store) {
    for (const Derived& d : g.derived)
      for (int e = 0; e < d.copies; ++e) d.how == Derived::How::fold ? fold(g, store, d, e) : cast(g, store, d, e);
  }

 private:
  /// w' = w · γ/σ and b' = β + (b - μ) · γ/σ per output channel.
  void fold(const Graph& g, const ParamStore& store, const Derived& d, int e) {
    read(g, store, d.norm[0] + e, gamma_), read(g, store, d.norm[1] + e, bias_);
    read(g, store, d.norm[2] + e, mean_), read(g, store, d.norm[3] + e, variance_);
    read(g, store, d.weight + e, weight_);
    old_bias_.assign(bias_.size(), 0.0);
    if (d.bias >= 0) read(g, store, d.bias + e, old_bias_);
    const std::size_t per_channel = weight_.size() / bias_.size();
    for (std::size_t c = 0; c < bias_.size(); ++c) {
      const double scale = gamma_[c] / std::sqrt(variance_[c] + d.eps);
      for (std::size_t i = 0; i < per_channel; ++i) weight_[c * per_channel + i] *= scale;
      bias_[c] += (old_bias_[c] - mean_[c]) * scale;
    }
    write(g, store, d.derived_weight + e, weight_);
    write(g, store, d.derived_bias + e, bias_);
  }

  void cast(const Graph& g, const ParamStore& store, const Derived& d, int e) {
    const int from = d.weight + e, to = d.derived_weight + e;
    if (store.memory().on_host() && !layouts_[from] && !layouts_[to]) {
      const auto n = static_cast<std::size_t>(g.params[to].elements());
      return convert(data(store, from), g.params[from].dtype, value_data(to), g.params[to].dtype, n);
    }
    read(g, store, from, weight_);
    write(g, store, to, weight_);
  }

  /// Of a recorded parameter, or of one that was derived before.
  const std::byte* data(const ParamStore& store, int id) const {
    return id < first_ ? store.value_data(id) : value_data(id);
  }

  /// Plain order.
  void read(const Graph& g, const ParamStore& store, int id, std::vector<double>& plain) {
    plain.resize(static_cast<std::size_t>(g.params[id].elements()));
    const std::byte* from = data(store, id);
    if (!store.memory().on_host()) {
      stored_.resize(stored_bytes(g.params[id], layouts_[id].get()));
      store.memory().copy_out(stored_.data(), from, stored_.size());
      from = stored_.data();
    }
    if (layouts_[id]) {
      plain_.resize(plain.size() * size_of(g.params[id].dtype));
      layouts_[id]->unpack(from, plain_.data());
      from = plain_.data();
    }
    convert(from, g.params[id].dtype, plain.data(), DType::f64, plain.size());
  }
  void write(const Graph& g, const ParamStore& store, int id, const std::vector<double>& plain) {
    const ParamSpec& p = g.params[id];
    plain_.resize(plain.size() * size_of(p.dtype));
    convert(plain.data(), DType::f64, plain_.data(), p.dtype, plain.size());
    if (!layouts_[id]) return store.memory().copy_in(value_data(id), plain_.data(), plain_.size());
    if (store.memory().on_host()) return layouts_[id]->pack(plain_.data(), value_data(id));
    stored_.resize(stored_bytes(p, layouts_[id].get()));
    layouts_[id]->pack(plain_.data(), stored_.data());
    store.memory().copy_in(value_data(id), stored_.data(), stored_.size());
  }

  int first_ = 0;
  Layouts layouts_;
  std::vector<std::size_t> offsets_;
  std::size_t bytes_ = 0;
  DeviceBuffer memory_;
  std::vector<double> gamma_, mean_, variance_, weight_, bias_, old_bias_;  // of one convolution, in plain order
  std::vector<std::byte> plain_, stored_;
};

}  // namespace moecnn
