#pragma once
/// \file
/// Running a trained segmentation network over a set of images with label maps.

#include "moecnn/analysis/routing.hpp"
#include "moecnn/analysis/segment.hpp"
#include "moecnn/data/segmentation_loader.hpp"
#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/train/evaluate.hpp"

namespace moecnn::analysis {

/// One batch of an evaluation.
struct EvaluatedMaps {
  int first = 0, count = 0;                 ///< images before this batch, and of it
  Size2 size = 0;                           ///< of the images
  Size2 label_size = 0;                     ///< of the label maps, and of `predicted`
  const int* indices = nullptr;             ///< count: places in the set
  const float* images = nullptr;            ///< count × 3 × size, normalised
  const int* labels = nullptr;              ///< count × label_size
  const std::uint8_t* predicted = nullptr;  ///< count × label_size
  const std::vector<Routing>* routings = nullptr;
  const Graph* graph = nullptr;
};

using EvaluateMapsOpts = EvaluateOptsOf<EvaluatedMaps>;

struct MapEvaluation {
  int images = 0;
  int left_out = 0;  ///< images of the set that count nowhere, since they cannot be read
  double loss = 0;   ///< mean cross-entropy of the pixels that have a label
  Confusion confusion{1};
  std::vector<PatchRouting> routing = {};  ///< per mixture

  TestRecord record() const {
    TestRecord r{.images = images, .loss = loss, .scores = scores_of(confusion), .per_class = confusion.ious()};
    for (const PatchRouting& m : routing) r.mixtures.push_back({m.stats().load_share(), m.stats().importance_share()});
    return r;
  }
};

/// Runs one epoch of `source` from its beginning through the model's inference programs, with images of the source's
/// size and results at the size of its label maps: for evaluation give a loader without shuffling and augmentation, with
/// whole labels, that leaves out what it cannot read. Counts as task::Segment does, and keeps all counts.
inline MapEvaluation evaluate_maps(AnyModel& model, data::SegmentationLoader& source,
                                   const EvaluateMapsOpts& opts = {}) {
  const Size2 size = source.size(), to = source.label_size();
  BatchesOf<data::SegmentationLoader> batches(source);
  MapEvaluation result;
  SegmentTally tally(data::ignore_label);
  const auto each = [&](Program& program, const AnyBatch& batch, int first) {
    const Graph& g = program.graph();
    tally.add(program, batch.targets);
    const auto* labels = batch.targets.get<std::int32_t>("labels");
    if (first == 0) result.routing = patch_routings(g, tally.confusion().classes());
    for (std::size_t m = 0; m < result.routing.size(); ++m) result.routing[m].add(program.routings()[m], labels, to);
    if (opts.on_batch)
      opts.on_batch({first, batch.count, size, to, batch.indices, static_cast<const float*>(batch.images), labels,
                     tally.predicted(), &program.routings(), &g});
  };
  result.images = moecnn::detail::run_evaluation(model, batches, moecnn::detail::EvaluationRun::of(opts), each);
  result.left_out = source.images_per_epoch() - result.images;
  check(result.images > 0, "there are no images to evaluate on; {} of {} cannot be read", result.left_out,
        source.images_per_epoch());
  result.loss = tally.loss();
  result.confusion = tally.confusion();
  return result;
}

}  // namespace moecnn::analysis
