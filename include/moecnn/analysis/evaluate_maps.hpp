#pragma once
/// \file
/// Running a trained segmentation network over a set of images with label maps.

#include "moecnn/analysis/read_maps.hpp"
#include "moecnn/data/segmentation_loader.hpp"
#include "moecnn/train/evaluate.hpp"

#include <chrono>

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
  bool equal_weights = false;  ///< every expert runs, with weight 1/N
  std::function<void(const EvaluatedMaps&)> on_batch = {};
};

struct MapEvaluation {
  int images = 0, classes = 0;
  double loss = 0;                   ///< mean cross-entropy of the pixels that have a label
  std::vector<long long> confusion;  ///< classes × classes: pixels of class [row] that were called [column]
  std::vector<MixtureInfo> mixtures = {};
  std::vector<RoutingStats> routing = {};  ///< per mixture
  double seconds = 0;                      ///< of the forward passes alone

  long long count(int label, int predicted) const {
    return confusion[static_cast<std::size_t>(label) * classes + predicted];
  }
  /// Intersection over union of a class; NaN where it neither occurs nor was predicted.
  double iou(int c) const {
    long long both = count(c, c), either = -both;
    for (int other = 0; other < classes; ++other) either += count(c, other) + count(other, c);
    return either > 0 ? static_cast<double>(both) / static_cast<double>(either)
                      : std::numeric_limits<double>::quiet_NaN();
  }
  /// Mean over the classes that have one.
  double mean_iou() const {
    double sum = 0;
    int n = 0;
    for (int c = 0; c < classes; ++c)
      if (const double x = iou(c); x == x) sum += x, ++n;
    return n ? sum / n : std::numeric_limits<double>::quiet_NaN();
  }
  double pixel_accuracy() const {
    long long right = 0, all = 0;
    for (int c = 0; c < classes; ++c) right += count(c, c);
    for (long long n : confusion) all += n;
    return all ? static_cast<double>(right) / static_cast<double>(all) : 0.0;
  }
  TestRecord record() const {
    TestRecord r{.images = images, .loss = loss, .top1 = pixel_accuracy(), .mean_iou = mean_iou()};
    for (int c = 0; c < classes; ++c) r.class_iou.push_back(iou(c));
    for (const RoutingStats& s : routing) r.mixtures.push_back({s.load_share(), s.importance_share()});
    return r;
  }
};

/// Runs one epoch of `source` from its beginning through the model's inference programs, with images of the source's
/// size and results at the size of its label maps: for evaluation give a loader without shuffling and augmentation, with
/// whole labels.
template <class Model>
MapEvaluation evaluate_maps(Model& model, data::SegmentationLoader& source, const EvaluateMapsOpts& opts = {}) {
  using Clock = std::chrono::steady_clock;
  StepContext step;
  step.noise_off = true;
  step.fixed_expert = opts.fixed_expert;
  step.equal_weights = opts.equal_weights;
  const Size2 size = source.size(), to = source.label_size();
  MapEvaluation result;
  MapReading reading;
  std::vector<typename Model::T> logits;
  long long labelled = 0;
  source.seek({});
  for (bool last = false; !last;) {
    const auto& batch = source.next();
    if (batch.count == 0) break;
    last = batch.last_of_epoch;
    const Extent extent{batch.count, size.h, size.w};
    int k = opts.k;
    if (opts.equal_weights)  // every expert runs, so slots for all of them are needed
      for (const RoutingSpec& r : model.inference(extent).graph().routings) k = std::max(k, r.experts);
    auto& program = model.inference(extent, k);
    const Graph& g = program.graph();
    const Edge& out = g.edges[g.outputs[0]];
    moecnn::detail::check_labels(batch.labels, batch.count, out.channels, static_cast<long long>(to.h) * to.w,
                                 data::ignore_label);
    program.set_images(batch.images);
    const auto start = Clock::now();
    program.forward(step);
    result.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    logits.resize(static_cast<std::size_t>(out.elements()));
    program.read(g.outputs[0], logits.data());
    read_maps(logits.data(), out.extent, out.channels, batch.labels, to, data::ignore_label, reading);

    if (result.images == 0) {
      result.classes = out.channels;
      result.confusion.assign(static_cast<std::size_t>(out.channels) * out.channels, 0);
      result.mixtures = mixtures_of(g), result.routing.resize(g.routings.size());
    }
    for (std::size_t p = 0; p < reading.predicted.size(); ++p)
      if (batch.labels[p] != data::ignore_label)
        ++result.confusion[static_cast<std::size_t>(batch.labels[p]) * out.channels + reading.predicted[p]];
    for (std::size_t m = 0; m < result.routing.size(); ++m) result.routing[m].add(program.routings()[m]);
    if (opts.on_batch)
      opts.on_batch({result.images, batch.count, size, to, batch.indices, batch.images, batch.labels,
                     reading.predicted.data(), &program.routings(), &g});
    result.images += batch.count;
    result.loss += reading.loss, labelled += reading.labelled;
  }
  check(result.images > 0, "there are no images to evaluate on");
  if (labelled > 0) result.loss /= static_cast<double>(labelled);
  return result;
}

}  // namespace moecnn::analysis
