#pragma once
/// \file
/// Running a trained model over a set of images.

#include <algorithm>
#include <functional>

#include "moecnn/model/model.hpp"
#include "moecnn/moe/stats.hpp"
#include "moecnn/train/batches.hpp"
#include "moecnn/train/metrics.hpp"
#include "moecnn/train/result.hpp"
#include "moecnn/train/stop.hpp"

namespace moecnn {

/// One batch of an evaluation.
template <class T>
struct EvaluatedBatch {
  int first = 0;  ///< images before this batch
  int count = 0;
  int classes = 0;
  const T* logits = nullptr;  ///< [count, classes]
  const int* labels = nullptr;
  const std::vector<Routing>* routings = nullptr;  ///< per mixture
};

template <class T>
struct EvaluateOpts {
  int k = 0;                   ///< active experts; 0: as built
  int fixed_expert = -1;       ///< ≥ 0: this expert serves every image with weight 1
  bool equal_weights = false;  ///< every expert runs, with weight 1/N; k does not count
  std::function<void(const EvaluatedBatch<T>&)> on_batch = {};  ///< for dumps and analysis
  StopAsked stop = {};                                          ///< true: evaluate() throws Stopped
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
template <class Source>
void check_images(Source& source, Extent images, int channels) {
  if constexpr (requires { source.image_elements(); }) {
    const auto has = static_cast<long long>(source.image_elements());
    check(has == channels * images.pixels(),
          "the images have {} values each, but the model wants {} × {} × {}; make the model for the size of the images",
          has, channels, images.h, images.w);
  }
}

/// Throws Error unless the label maps of the source (where it has some) are as large as the network's result.
template <class Source>
void check_maps(const Source& source, const Edge& out) {
  if constexpr (requires { source.label_size().h; }) {
    const auto size = source.label_size();
    check(
        size.h == out.extent.h && size.w == out.extent.w,
        "the label maps have {} × {} pixels, but the network's result {} × {}; give the loader crops that the network "
        "fits, or the network a last layer that resizes",
        size.h, size.w, out.extent.h, out.extent.w);
  }
}

/// `pixels` labels per image; those that are `ignore` may be anything.
inline void check_labels(const int* labels, int count, int classes, long long pixels = 1, int ignore = -1) {
  const auto bad = [&](int label) { return (label < 0 || label >= classes) && label != ignore; };
  const long long all = count * pixels;
  bool fine = true;
  for (long long i = 0; i < all; ++i) fine &= !bad(labels[i]);  // without a way out, so that it is vectorised
  for (long long i = 0; i < all && !fine; ++i)
    check(!bad(labels[i]), "image {} of a batch has label {}, but the network has {} classes (from 0){}", i / pixels,
          labels[i], classes,
          pixels > 1 ? formatted("; it is that of pixel {}, and {} would be ignored", i % pixels, ignore) : "");
}

}  // namespace detail

/// Runs one epoch of `source` from its beginning through the model's inference programs. Batch norm uses its running
/// statistics, gates have no noise. The order of the images is the source's: for dumps give a loader without shuffling.
template <class Net, class Backend, BatchSource Source>
Evaluation evaluate(Model<Net, Backend>& model, Source& source,
                    const EvaluateOpts<typename Backend::scalar>& opts = {}) {
  using T = typename Backend::scalar;
  detail::check_images(source, model.images(), Net::in);
  StepContext step;
  step.noise_off = true;
  step.fixed_expert = opts.fixed_expert;
  step.equal_weights = opts.equal_weights;
  Evaluation result;
  std::vector<T> logits;
  auto position = source.position();
  position.epoch = position.batch = 0;
  source.seek(position);
  for (bool last = false; !last;) {
    if (opts.stop && opts.stop()) throw Stopped("the evaluation was stopped on request");
    const auto& batch = source.next();
    if (batch.count == 0) break;
    last = batch.last_of_epoch;
    auto& program = model.inference(batch.count, opts.equal_weights ? every_expert : opts.k);
    const Graph& g = program.graph();
    const int edge = g.outputs[0], classes = g.edges[edge].channels;
    check(g.edges[edge].extent.pixels() == 1,
          "evaluate() counts one label per image, but the network's result has {} × {} pixels; use "
          "analysis::evaluate_maps, in training as TrainOpts::test",
          g.edges[edge].extent.h, g.edges[edge].extent.w);
    detail::check_labels(batch.labels, batch.count, classes);
    program.set_images(batch.images);
    program.forward(step);
    logits.resize(static_cast<std::size_t>(batch.count) * classes);
    program.read(edge, logits.data());

    if (result.images == 0) result.mixtures = mixtures_of(g), result.routing.resize(g.routings.size());
    for (std::size_t m = 0; m < result.routing.size(); ++m) result.routing[m].add(program.routings()[m]);
    for (int r = 0; r < batch.count; ++r)
      result.loss += cross_entropy_of(logits.data() + static_cast<std::size_t>(r) * classes, classes, batch.labels[r]);
    result.top1 += count_top_k(logits.data(), batch.labels, batch.count, classes, 1);
    result.top5 += count_top_k(logits.data(), batch.labels, batch.count, classes, 5);
    if (opts.on_batch)
      opts.on_batch({result.images, batch.count, classes, logits.data(), batch.labels, &program.routings()});
    result.images += batch.count;
  }
  check(result.images > 0, "there are no images to evaluate on");
  for (double* sum : {&result.loss, &result.top1, &result.top5}) *sum /= result.images;
  return result;
}

}  // namespace moecnn
