#pragma once
/// \file
/// The passes that a recorded graph goes through, by what it is for. The only definition: models and tests share it.

#include "moecnn/graph/passes/drop_dropout.hpp"
#include "moecnn/graph/passes/drop_unused.hpp"
#include "moecnn/graph/passes/fold_batch_norm.hpp"
#include "moecnn/graph/passes/fuse_conv_activation.hpp"
#include "moecnn/graph/passes/fuse_norm_activation.hpp"
#include "moecnn/graph/passes/mix_linear_experts.hpp"

namespace moecnn::passes {

/// A graph with its losses. Edges in `keep` stay readable by what they hold. `mix`: experts that are one convolution mix
/// their kernels where that pays.
inline void for_training(Graph& g, const std::vector<int>& keep = {}, bool mix = false) {
  if (mix) mix_linear_experts(g, keep);
  fuse_norm_activation(g, keep);
}

/// Batch norms folded, activations fused, nothing of what only training needs.
inline void for_inference(Graph& g, const std::vector<int>& keep = {}, bool mix = false) {
  if (mix) mix_linear_experts(g, keep);
  drop_dropout(g, keep);
  fuse_norm_activation(g, keep);
  fold_batch_norm(g, keep);
  fuse_conv_activation(g, keep);
  drop_unused(g, /*drop_noise=*/true, keep);
}

}  // namespace moecnn::passes
