#pragma once
#include "moecnn/core/glob.hpp"
#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/train/evaluate.hpp"

namespace moecnn::detail {

MOECNN_BODY void check_images(const AnyBatches& source, Extent images, int channels) {
  const auto has = source.image_elements();
  check(!has || *has == channels * images.pixels(),
        "the images have {} values each, but the model wants {} × {} × {}; make the model for the size of the images",
        has.value_or(0), channels, images.h, images.w);
}

MOECNN_BODY void set_targets(Program& program, const Targets& targets) {
  for (const int e : program.targets()) {
    const std::string& name = program.graph().edges[e].name;
    const Target* t = targets.find(name);
    check(t != nullptr, "the losses want a target \"{}\", but the batches have{}", name, targets.names());
    program.set_target(name, t->data, t->dtype);
  }
}

MOECNN_BODY void check_maps(const AnyBatches& source, const Edge& out) {
  const auto size = source.label_size();
  if (!size) return;
  check(size->h == out.extent.h && size->w == out.extent.w,
        "the label maps have {} × {} pixels, but the network's result {} × {}; give the loader crops that the network "
        "fits, or the network a last layer that resizes",
        size->h, size->w, out.extent.h, out.extent.w);
}

/// Throws Error unless a mixture has a name of this pattern.
MOECNN_BODY void check_pattern(const Graph& g, const std::string& fixed_in) {
  std::vector<std::string> names;
  for (const RoutingSpec& r : g.routings) {
    if (fixed_in.empty() || glob_matches(fixed_in, r.name)) return;
    names.push_back(r.name);
  }
  check(fixed_in.empty(), "no mixture has a name like \"{}\"{}", fixed_in,
        names.empty() ? "; the network has none" : "; closest are " + closest_names(fixed_in, names));
}

MOECNN_BODY int run_evaluation(AnyModel& model, AnyBatches& source, const EvaluationRun& run,
                               const std::function<void(Program&, const AnyBatch&, int)>& each) {
  const StepContext step{.noise_off = true,
                         .fixed_expert = run.fixed_expert,
                         .fixed_in = run.fixed_in,
                         .equal_weights = run.equal_weights || run.again};
  const Size2 size = source.image_size().value_or(Size2{model.images().h, model.images().w});
  int images = 0;
  source.seek(0, run.first_batch);
  for (bool last = false; !last;) {
    if (run.stop && run.stop()) throw Stopped("the evaluation was stopped on request");
    const AnyBatch batch = source.next();
    if (batch.count == 0) break;
    last = batch.last_of_epoch;
    const Extent extent = extent_of(batch, size);
    const int k = run.equal_weights ? every_expert : run.k;
    Program& program = run.again    ? model.inference_of_all(extent)
                       : run.losses ? model.evaluation(extent, k)
                                    : model.inference(extent, k);
    program.set_images(batch.images, batch.images_type);
    if (run.losses) set_targets(program, batch.targets);
    if (images == 0) check_pattern(program.graph(), run.fixed_in);
    program.forward(step);
    each(program, batch, images);
    images += batch.count;
  }
  return images;
}

/// Counts by the results of the losses themselves.
class LossTally final : public Tally {
 public:
  void add(const Program& program, const Targets&) override {
    const LossResult& r = program.losses().at(0);
    sum_.mean += r.mean * r.weight, sum_.weight += r.weight, sum_.counted += r.counted, sum_.hits += r.hits;
  }
  TaskResult result() const override {
    return {sum_.weight > 0 ? sum_.mean / sum_.weight : 0, {{"accuracy", sum_.accuracy()}}, {}};
  }

 private:
  LossResult sum_;
};

/// The tally of the model's task, and in `run` whether it reads losses.
MOECNN_BODY std::unique_ptr<Tally> begin_evaluation(AnyModel& model, const AnyBatches& source, EvaluationRun& run) {
  if (!source.image_size()) check_images(source, model.images(), model.channels());
  std::unique_ptr<Tally> tally = model.opts().task->tally();
  run.losses = tally == nullptr;
  return tally ? std::move(tally) : std::make_unique<LossTally>();
}

MOECNN_BODY void rehearse_evaluation(AnyModel& model, AnyBatches& source) {
  EvaluationRun run{.first_batch = std::max(0, source.batches_per_epoch() - 2)};
  const auto tally = begin_evaluation(model, source, run);
  run_evaluation(model, source, run, [&](Program& p, const AnyBatch& batch, int) { tally->add(p, batch.targets); });
}

MOECNN_BODY Evaluation evaluate(AnyModel& model, AnyBatches& source, const EvaluateOpts& opts) {
  EvaluationRun run = EvaluationRun::of(opts);
  const auto tally = begin_evaluation(model, source, run);
  Evaluation result;
  std::vector<float> logits;
  result.images = run_evaluation(model, source, run, [&](Program& program, const AnyBatch& batch, int first) {
    const Graph& g = program.graph();
    if (first == 0) result.mixtures = mixtures_of(g), result.routing.resize(g.routings.size());
    for (std::size_t m = 0; m < result.routing.size(); ++m) result.routing[m].add(program.routings()[m]);
    tally->add(program, batch.targets);
    if (!opts.on_batch) return;
    const Edge& out = g.edges[g.outputs[0]];
    logits.resize(static_cast<std::size_t>(out.elements()));
    program.read(g.outputs[0], logits.data());
    const bool labels = batch.targets.find("labels") != nullptr;
    opts.on_batch({first, batch.count, out.channels, logits.data(),
                   labels ? batch.targets.get<std::int32_t>("labels") : nullptr, &batch.targets, &program.routings()});
  });
  check(result.images > 0, "there are no images to evaluate on");
  static_cast<TaskResult&>(result) = tally->result();
  return result;
}

}  // namespace moecnn::detail
