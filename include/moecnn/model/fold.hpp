#pragma once
/// \file
/// The derived parameters of an inference program: convolution weights with the batch norm folded in.

#include "moecnn/model/param_store.hpp"

namespace moecnn {

template <class T>
class FoldedParams {
 public:
  FoldedParams() = default;

  /// Room for every parameter of `g` beyond those of the store.
  FoldedParams(const Graph& g, const ParamStore<T>& store, const ParamLayouts<T>& layouts)
      : first_(store.size()), layouts_(layouts) {
    layouts_.resize(g.params.size());
    std::size_t at = 0;
    for (std::size_t i = first_; i < g.params.size(); ++i) {
      offsets_.push_back(at);
      const auto n = layouts_[i] ? layouts_[i]->elements() : static_cast<std::size_t>(g.params[i].elements());
      at += (n + 15) / 16 * 16;
    }
    memory_ = AlignedBuffer(at * sizeof(T));
  }

  T* value(int id) const { return memory_.as<T>() + offsets_[id - first_]; }

  /// w' = w · γ/σ and b' = β + (b - μ) · γ/σ per output channel, from the store's present values.
  void refresh(const Graph& g, const ParamStore<T>& store) {
    for (const Fold& f : g.folds)
      for (int e = 0; e < f.copies; ++e) {
        const auto gamma = store.read(f.norm[0] + e), beta = store.read(f.norm[1] + e);
        const auto mean = store.read(f.norm[2] + e), variance = store.read(f.norm[3] + e);
        const auto old_bias = f.bias < 0 ? std::vector<T>(beta.size()) : store.read(f.bias + e);
        auto weight = store.read(f.weight + e);
        auto bias = beta;
        const std::size_t per_channel = weight.size() / beta.size();
        for (std::size_t c = 0; c < beta.size(); ++c) {
          const double scale = gamma[c] / std::sqrt(variance[c] + f.eps);
          for (std::size_t i = 0; i < per_channel; ++i)
            weight[c * per_channel + i] = static_cast<T>(weight[c * per_channel + i] * scale);
          bias[c] = static_cast<T>(beta[c] + (old_bias[c] - mean[c]) * scale);
        }
        store_plain(f.derived_weight + e, weight);
        store_plain(f.derived_bias + e, bias);
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
  AlignedBuffer memory_;
};

}  // namespace moecnn
