#pragma once
/// \file
/// Everything that can be chosen about a model.

#include "moecnn/core/memory.hpp"
#include "moecnn/graph/plan.hpp"
#include "moecnn/model/classify.hpp"

namespace moecnn {

/// A value of the network that training adds a loss to, by the same task as to the network's result. Inference drops the
/// nodes that only such values need.
struct Auxiliary {
  std::string value;  ///< its name, e.g. "aux"
  double factor = 0.4;
};

/// The type in which values are stored and weights are read. Parameters, moments, statistics, gates, routing and losses have the
/// backend's own type in any case.
enum class Precision : unsigned char {
  full,  ///< the backend's own type
  bf16   ///< bfloat16, where passes::lower_precision() finds that harmless
};

struct ModelOpts {
  std::uint64_t seed = 42;                ///< initial weights and gate noise
  std::vector<std::string> keep = {};     ///< values that stay readable after a run, by name, e.g. "layer3"
  AnyTask task = task::Classify{};        ///< targets, losses and scores
  std::vector<Auxiliary> auxiliary = {};  ///< further values with a loss, such as the logits of an auxiliary head
  /// Batch norms that training uses with their running statistics and leaves as they are, weight and bias included, by the
  /// patterns of passes::freeze_norms(); {"*"}: all. For fine-tuning with small batches.
  std::vector<std::string> frozen_norms = {};
  bool training = true;                    ///< false: no gradients are ever made; training() is an error
  bool mix_linear_experts = true;          ///< experts that are one convolution: mix their kernels where that pays
  Rebuild rebuild = Rebuild::where_cheap;  ///< memory of training for time, see graph/plan.hpp
  Precision precision = Precision::full;   ///< refused where the backend has no kernels for it
  /// Limit for parameters, gradients, activations and the optimiser's moments. More is refused with a sentence before
  /// it is allocated. MemoryLimit::none() switches the check off.
  MemoryLimit memory = MemoryLimit::system();
};

}  // namespace moecnn
