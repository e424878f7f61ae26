#pragma once
/// \file
/// Running a trained segmentation network over a set of images with label maps.

#include "moecnn/analysis/confusion.hpp"
#include "moecnn/analysis/read_maps.hpp"
#include "moecnn/analysis/routing.hpp"
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

struct EvaluateMapsOpts {
  int k = 0;                   ///< active experts; 0: as built
  int fixed_expert = -1;       ///< ≥ 0: this expert serves every patch with weight 1
  bool equal_weights = false;  ///< every expert runs, with weight 1/N; k does not count
  std::function<void(const EvaluatedMaps&)> on_batch = {};
  StopAsked stop = {};  ///< true: evaluate_maps() throws Stopped
};

struct MapEvaluation {
  int images = 0;
  int left_out = 0;  ///< images of the set that count nowhere, since they cannot be read
  double loss = 0;   ///< mean cross-entropy of the pixels that have a label
  Confusion confusion{1};
  std::vector<PatchRouting> routing = {};  ///< per mixture

  TestRecord record() const {
    TestRecord r{.images = images,
                 .loss = loss,
                 .top1 = confusion.pixel_accuracy(),
                 .class_iou = confusion.ious(),
                 .mean_iou = confusion.mean_iou()};
    for (const PatchRouting& m : routing) r.mixtures.push_back({m.stats().load_share(), m.stats().importance_share()});
    return r;
  }
};

/// The model's inference program for images of that number and size, with as many experts per patch as the options want.
inline Program& inference_program(AnyModel& model, Extent images, const EvaluateMapsOpts& opts) {
  return model.inference(images, opts.equal_weights ? every_expert : opts.k);
}

/// Runs one epoch of `source` from its beginning through the model's inference programs, with images of the source's
/// size and results at the size of its label maps: for evaluation give a loader without shuffling and augmentation, with
/// whole labels, that leaves out what it cannot read.
inline MapEvaluation evaluate_maps(AnyModel& model, data::SegmentationLoader& source,
                                   const EvaluateMapsOpts& opts = {}) {
  StepContext step;
  step.noise_off = true;
  step.fixed_expert = opts.fixed_expert;
  step.equal_weights = opts.equal_weights;
  const Size2 size = source.size(), to = source.label_size();
  MapEvaluation result;
  MapReading reading;
  std::vector<float> logits;
  long long labelled = 0;
  source.seek({});
  for (bool last = false; !last;) {
    if (opts.stop && opts.stop()) throw Stopped("the evaluation was stopped on request");
    const auto& batch = source.next();
    if (batch.count == 0) break;
    last = batch.last_of_epoch;
    Program& program = inference_program(model, {batch.count, size.h, size.w}, opts);
    const Graph& g = program.graph();
    const Edge& out = g.edges[g.outputs[0]];
    moecnn::detail::check_labels(batch.labels, batch.count, out.channels, static_cast<long long>(to.h) * to.w,
                                 data::ignore_label);
    program.set_images(batch.images);
    program.forward(step);
    logits.resize(static_cast<std::size_t>(out.elements()));
    program.read(g.outputs[0], logits.data());
    read_maps(logits.data(), out.extent, out.channels, batch.labels, to, data::ignore_label, reading);

    if (result.images == 0) {
      result.confusion = Confusion(out.channels);
      result.routing = patch_routings(g, out.channels);
    }
    result.confusion.add(batch.labels, reading.predicted.data(), reading.predicted.size());
    for (std::size_t m = 0; m < result.routing.size(); ++m)
      result.routing[m].add(program.routings()[m], batch.labels, to);
    if (opts.on_batch)
      opts.on_batch({result.images, batch.count, size, to, batch.indices, batch.images, batch.labels,
                     reading.predicted.data(), &program.routings(), &g});
    result.images += batch.count;
    result.loss += reading.loss, labelled += reading.labelled;
  }
  result.left_out = source.images_per_epoch() - result.images;
  check(result.images > 0, "there are no images to evaluate on; {} of {} cannot be read", result.left_out,
        source.images_per_epoch());
  if (labelled > 0) result.loss /= static_cast<double>(labelled);
  return result;
}

}  // namespace moecnn::analysis
