#pragma once
/// \file
/// Running a trained model over a set of images.

#include <algorithm>
#include <functional>

#include "moecnn/model/model.hpp"
#include "moecnn/moe/stats.hpp"
#include "moecnn/train/batches.hpp"
#include "moecnn/train/result.hpp"
#include "moecnn/train/stop.hpp"

namespace moecnn {

/// One batch of an evaluation.
struct EvaluatedBatch {
  int first = 0;  ///< images before this batch
  int count = 0;
  int classes = 0;
  const float* logits = nullptr;  ///< [count, classes]
  const int* labels = nullptr;
  const std::vector<Routing>* routings = nullptr;  ///< per mixture
};

struct EvaluateOpts {
  int k = 0;                                                 ///< active experts; 0: as built
  int fixed_expert = -1;                                     ///< ≥ 0: this expert serves every image with weight 1
  bool equal_weights = false;                                ///< every expert runs, with weight 1/N; k does not count
  std::function<void(const EvaluatedBatch&)> on_batch = {};  ///< for dumps and analysis
  StopAsked stop = {};                                       ///< true: evaluate() throws Stopped
};

struct Evaluation {
  int images = 0;
  double loss = 0;  ///< mean cross-entropy
  double top1 = 0, top5 = 0;
  std::vector<MixtureInfo> mixtures = {};
  std::vector<RoutingStats> routing = {};  ///< per mixture

  TestRecord record() const {
    TestRecord r{images, loss, top1, top5, {}};
    for (const RoutingStats& s : routing) r.mixtures.push_back({s.load_share(), s.importance_share()});
    return r;
  }
};

/// The mixtures of a network.
inline std::vector<MixtureInfo> mixtures_of(const Graph& g) {
  std::vector<MixtureInfo> list;
  for (const RoutingSpec& r : g.routings) list.push_back({r.name, r.experts, r.k});
  return list;
}

namespace detail {

/// Throws Error unless images of the source have the model's size (where the source tells it) and labels are classes.
void check_images(const AnyBatches& source, Extent images, int channels);
/// Throws Error unless the label maps of the source (where it has some) are as large as the network's result.
void check_maps(const AnyBatches& source, const Edge& out);
/// `pixels` labels per image; those that are `ignore` may be anything.
void check_labels(const int* labels, int count, int classes, long long pixels = 1, int ignore = -1);

Evaluation evaluate(AnyModel& model, AnyBatches& source, const EvaluateOpts& opts);

}  // namespace detail

/// Runs one epoch of `source` from its beginning through the model's inference programs. Batch norm uses its running
/// statistics, gates have no noise. The order of the images is the source's: for dumps give a loader without shuffling.
template <BatchSource Source>
Evaluation evaluate(AnyModel& model, Source& source, const EvaluateOpts& opts = {}) {
  BatchesOf<Source> batches(source);
  return detail::evaluate(model, batches, opts);
}

}  // namespace moecnn

#if MOECNN_BODIES
#include "moecnn/train/evaluate_impl.hpp"
#endif
