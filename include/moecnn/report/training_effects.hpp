#pragma once
/// \file
/// Lists the effects that were on in training alone, so that the use of the experts differs on the test set.

#include "moecnn/graph/graph.hpp"
#include "moecnn/report/training_data.hpp"

namespace moecnn::report {

/// Options of a program that change its training images and gates.
struct TrainedWith {
  bool noise = true;          ///< TrainOpts::noise
  bool augmentation = false;  ///< images were changed at random
};

/// Nouns for MixtureReport::only_in_training, as found in the recorded graph and in what the program switched on.
inline std::vector<std::string> only_in_training(const Graph& g, const RoutingSpec& mixture, TrainedWith with) {
  std::vector<std::string> found;
  if (with.noise && mixture.policy->wants_noise()) found.push_back("noise on the gate's logits");
  if (!mixture.policy->state().empty())
    found.push_back("the hard constraint, which bars experts that are used too much");
  if (with.augmentation) found.push_back("augmented images");
  const auto is_norm = [](const Node& n) { return std::holds_alternative<ops::BatchNorm>(n.op); };
  if (std::any_of(g.nodes.begin(), g.nodes.end(), is_norm))
    found.push_back("batch norms that use the statistics of the batch");
  return found;
}

}  // namespace moecnn::report
