#pragma once
#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/train/evaluate.hpp"
#include "moecnn/train/metrics.hpp"

namespace moecnn::detail {

MOECNN_BODY void check_images(const AnyBatches& source, Extent images, int channels) {
  const auto has = source.image_elements();
  check(!has || *has == channels * images.pixels(),
        "the images have {} values each, but the model wants {} × {} × {}; make the model for the size of the images",
        has.value_or(0), channels, images.h, images.w);
}

MOECNN_BODY void check_maps(const AnyBatches& source, const Edge& out) {
  const auto size = source.label_size();
  if (!size) return;
  check(size->h == out.extent.h && size->w == out.extent.w,
        "the label maps have {} × {} pixels, but the network's result {} × {}; give the loader crops that the network "
        "fits, or the network a last layer that resizes",
        size->h, size->w, out.extent.h, out.extent.w);
}

MOECNN_BODY void check_labels(const int* labels, int count, int classes, long long pixels, int ignore) {
  const auto bad = [&](int label) { return (label < 0 || label >= classes) && label != ignore; };
  const long long all = count * pixels;
  bool fine = true;
  for (long long i = 0; i < all; ++i) fine &= !bad(labels[i]);  // without a way out, so that it is vectorised
  for (long long i = 0; i < all && !fine; ++i)
    check(!bad(labels[i]), "image {} of a batch has label {}, but the network has {} classes (from 0){}", i / pixels,
          labels[i], classes,
          pixels > 1 ? formatted("; it is that of pixel {}, and {} would be ignored", i % pixels, ignore) : "");
}

MOECNN_BODY Evaluation evaluate(AnyModel& model, AnyBatches& source, const EvaluateOpts& opts) {
  check_images(source, model.images(), model.channels());
  StepContext step;
  step.noise_off = true;
  step.fixed_expert = opts.fixed_expert;
  step.equal_weights = opts.equal_weights;
  Evaluation result;
  std::vector<float> logits;
  source.seek(0, 0);
  for (bool last = false; !last;) {
    if (opts.stop && opts.stop()) throw Stopped("the evaluation was stopped on request");
    const AnyBatch batch = source.next();
    if (batch.count == 0) break;
    last = batch.last_of_epoch;
    Program& program = model.inference(batch.count, opts.equal_weights ? every_expert : opts.k);
    const Graph& g = program.graph();
    const int edge = g.outputs[0], classes = g.edges[edge].channels;
    check(g.edges[edge].extent.pixels() == 1,
          "evaluate() counts one label per image, but the network's result has {} × {} pixels; use "
          "analysis::evaluate_maps, in training as TrainOpts::test",
          g.edges[edge].extent.h, g.edges[edge].extent.w);
    check_labels(batch.labels, batch.count, classes);
    program.set_images(batch.images, batch.images_type);
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

}  // namespace moecnn::detail
