#pragma once
/// \file
/// The derived parameters of an inference program: convolution weights with the batch norm folded in.

#include "moecnn/model/param_store.hpp"

namespace moecnn {

template <class T>
class FoldedParams {
 public:
  FoldedParams() = default;

  /// For every parameter of `g` beyond those of the store. allocate() comes before anything else.
  FoldedParams(const Graph& g, const ParamStore<T>& store, const ParamLayouts<T>& layouts)
      : first_(store.size()), layouts_(layouts) {
    layouts_.resize(g.params.size());
    for (std::size_t i = first_; i < g.params.size(); ++i) {
      offsets_.push_back(elements_);
      const auto n = layouts_[i] ? layouts_[i]->elements() : static_cast<std::size_t>(g.params[i].elements());
      elements_ += (n + 15) / 16 * 16;
    }
  }
  std::size_t bytes() const { return elements_ * sizeof(T); }
  void allocate() { memory_ = AlignedBuffer(bytes()); }

  T* value(int id) const { return memory_.as<T>() + offsets_[id - first_]; }

  /// w' = w · γ/σ and b' = β + (b - μ) · γ/σ per output channel, from the store's present values. Allocates the first
  /// time only.
  void refresh(const Graph& g, const ParamStore<T>& store) {
    const auto read = [&](int id, std::vector<T>& plain) {
      plain.resize(static_cast<std::size_t>(store.spec(id).elements()));
      store.read(id, plain.data());
    };
    for (const Fold& f : g.folds)
      for (int e = 0; e < f.copies; ++e) {
        read(f.norm[0] + e, gamma_), read(f.norm[1] + e, bias_), read(f.norm[2] + e, mean_),
            read(f.norm[3] + e, variance_);
        read(f.weight + e, weight_);
        old_bias_.assign(bias_.size(), T(0));
        if (f.bias >= 0) read(f.bias + e, old_bias_);
        const std::size_t per_channel = weight_.size() / bias_.size();
        for (std::size_t c = 0; c < bias_.size(); ++c) {
          const double scale = gamma_[c] / std::sqrt(variance_[c] + f.eps);
          for (std::size_t i = 0; i < per_channel; ++i)
            weight_[c * per_channel + i] = static_cast<T>(weight_[c * per_channel + i] * scale);
          bias_[c] = static_cast<T>(bias_[c] + (old_bias_[c] - mean_[c]) * scale);
        }
        store_plain(f.derived_weight + e, weight_);
        store_plain(f.derived_bias + e, bias_);
      }
  }

 private:
  void store_plain(int id, const std::vector<T>& plain) {
    if (layouts_[id])
      layouts_[id]->pack(plain.data(), value(id));
    else
      std::copy(plain.begin(), plain.end(), value(id));
  }

  int first_ = 0;
  ParamLayouts<T> layouts_;
  std::vector<std::size_t> offsets_;
  std::size_t elements_ = 0;
  AlignedBuffer memory_;
  std::vector<T> gamma_, mean_, variance_, weight_, bias_, old_bias_;  // of one convolution, in plain order
};

}  // namespace moecnn
