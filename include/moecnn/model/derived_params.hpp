#pragma once
/// \file
/// The derived parameters of a program: convolution weights with the batch norm folded in, and copies in a lower precision.

#include "moecnn/model/param_store.hpp"

namespace moecnn {

class DerivedParams {
 public:
  DerivedParams() = default;

  /// For every parameter of `g` beyond those of the store. allocate() comes before anything else.
  DerivedParams(const Graph& g, int recorded, const Layouts& layouts, const DerivedPool& pool)
      : first_(recorded), layouts_(layouts) {
    layouts_.resize(g.params.size());
    tensors_.resize(g.params.size() - static_cast<std::size_t>(first_));
    std::vector<std::string> keys(g.params.size());
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = std::to_string(i);
    for (const Derived& d : g.derived)
      for (int e = 0; e < d.experts; ++e) {
        const auto key = [&](int id) { return id < 0 ? std::string("-") : keys[static_cast<std::size_t>(id + e)]; };
        std::string from = "cast " + key(d.weight);
        if (d.how == Derived::How::fold) {
          from = formatted("fold {} {} {}", key(d.weight), key(d.bias), d.eps);
          for (const int n : d.norm) from += ' ' + key(n);
        }
        find(g, d.derived_weight + e, keys, from + " weight", pool);
        if (d.how == Derived::How::fold) find(g, d.derived_bias + e, keys, from + " bias", pool);
      }
  }

  /// Of the tensors that no other program has made yet.
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& t : tensors_) sum += t->memory.bytes() == 0 ? t->bytes : 0;
    return sum;
  }
  void allocate(Memory& memory, DerivedPool& pool) {
    for (const auto& t : tensors_) {
      if (t->memory.bytes() > 0) continue;
      t->memory = DeviceBuffer(memory, t->bytes);
      pool.add(t);
    }
  }

  std::byte* value_data(int id) const { return tensor(id).memory.data(); }

  /// Makes anew what is older than the store's present values. Allocates the first time only.
  void refresh(const Graph& g, const ParamStore& store) {
    for (const Derived& d : g.derived)
      for (int e = 0; e < d.experts; ++e) {
        DerivedTensor& weight = tensor(d.derived_weight + e);
        if (weight.version == store.version()) continue;
        d.how == Derived::How::fold ? fold(g, store, d, e) : cast(g, store, d, e);
        weight.version = store.version();
      }
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
    if (store.memory().on_host() && same_order(layouts_[from].get(), layouts_[to].get())) {
      const auto n = stored_bytes(g.params[to], layouts_[to].get()) / size_of(g.params[to].dtype);
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

  DerivedTensor& tensor(int id) const { return *tensors_[static_cast<std::size_t>(id - first_)]; }

  /// Takes the tensor of another program, or makes a new one. A bias lives at least as long as each weight that is folded
  /// together with it, so the version of the weight stands for both.
  void find(const Graph& g, int id, std::vector<std::string>& keys, const std::string& key, const DerivedPool& pool) {
    const auto at = static_cast<std::size_t>(id);
    keys[at] = '(' + key + ')';
    const auto& layout = layouts_[at];
    auto& t = tensors_[at - static_cast<std::size_t>(first_)];
    t = pool.find(keys[at], g.params[at].dtype, layout.get());
    if (!t)
      t = std::make_shared<DerivedTensor>(
          DerivedTensor{keys[at], g.params[at].dtype, layout, stored_bytes(g.params[at], layout.get())});
  }

  int first_ = 0;
  Layouts layouts_;
  std::vector<std::shared_ptr<DerivedTensor>> tensors_;                     // per derived parameter
  std::vector<double> gamma_, mean_, variance_, weight_, bias_, old_bias_;  // of one convolution, in plain order
  std::vector<std::byte> plain_, stored_;
};

}  // namespace moecnn
