#include "../common/machine.hpp"
#include "../common/run_control.hpp"
#include "../common/run_options.hpp"
#include "commands.hpp"
#include "report.hpp"
#include "settings.hpp"

#include <moecnn/analysis/evaluate_maps.hpp>
#include <moecnn/data/class_pixels.hpp>
#include <moecnn/train/trainer.hpp>

namespace segmentation {

/// ImageNet weights for the encoder.
inline void load_backbone(ParamStore& store, const Options& o) {
  const NetInfo& net = o.info();
  check(net.backbone[0] != '\0', "--backbone: {} has no encoder with ImageNet weights; leave the option out",
        net.title);
  if (o.net != "pspnet") {
    load_part(store, o.backbone, net.backbone, net.imagenet);
    return;
  }
  // Its stem has three convolutions and its first stage other inputs than torchvision's.
  for (const std::string stage : {"layer2.", "layer3.", "layer4."}) load_part(store, o.backbone, stage, stage);
}

/// Per class of the network; those that the data does not have weigh 1.
inline std::vector<double> class_weights(const Options& o, const data::SegmentationSet& set, int classes) {
  if (o.class_weights == "none") return {};
  auto weights = data::rare_class_weights(data::class_pixels(set));
  weights.resize(static_cast<std::size_t>(classes), 1.0);
  return weights;
}

int train(const Options& o) {
  const Start start = start_of(o);
  goes_on(o.out, start);  // says so before data are loaded where it may not
  const data::SegmentationSet train_set = load_training(o);
  const data::SegmentationSet test_set = load(o, data::Split::val);
  const int classes = class_count(o), batch = std::min(o.batch, o.overfit > 0 ? o.overfit : train_set.size());
  data::SegmentationLoader batches(train_set, training_loader(o, batch));
  data::SegmentationLoader test_batches(test_set, evaluation_loader(o, test_set));

  ModelOpts m{
      .seed = o.seed,
      .task = task::Segment({.ignore = data::ignore_label, .class_weights = class_weights(o, train_set, classes)}),
      .mix_linear_experts = o.mix,
      .rebuild = rebuild_of(o),
      .precision = o.precision_used()};
  if (o.has_aux()) m.auxiliary = {{.value = o.info().aux, .factor = o.aux}};
  AnyModel model(make_backend(o.backend), {batch, batches.size().h, batches.size().w}, m, net_of(o, classes));
  if (!o.backbone.empty() && start != Start::resume) load_backbone(model.params(), o);
  if (!o.init.empty() && start != Start::resume) load_weights(model.params(), o.init);
  const Graph g = model.recorded();
  fmt::print("{}, {} parameters, {} mixture layer(s) active\n", net_text(o), parameter_count(g), g.routings.size());
  fmt::print("{} and {} pairs of {}, {} classes; crops of {}x{}, tests at {}x{}; backend {}\n", train_set.size(),
             test_set.size(), o.dataset, classes, batches.size().h, batches.size().w, test_batches.size().h,
             test_batches.size().w, o.backend_text());

  // Rates that are laid out over all epochs change with their number; the rest of the schedule is in the settings.
  const auto accept = schedule_has_length(o) ? std::vector<std::string>{"learning rate"} : std::vector<std::string>{};
  TrainOpts t{.epochs = o.epochs,
              .max_steps = o.max_steps,
              .optimizer = optimizer_of(o),
              .schedule = schedule_of(o),
              .clip_norm = o.clip,
              .seed = o.seed,
              .out = o.out,
              .start = start,
              .checkpoint_steps = o.checkpoint_steps,
              .keep_best = true,
              .metadata = run_options::metadata(lasting_options(o)),
              .settings = settings_of(o),
              .accept = accept,
              .log_steps = o.log_steps,
              .test_epochs = o.eval_every,
              .test_at_stop = false};
  const TrainResult run = fit(model, batches, test_batches, t);
  fmt::print("{}\n", run.goodbye);
  if (run.test)
    fmt::print("mIoU     {:.2f} %\npixels   {:.2f} %\n", 100 * run.test->mean_iou(), 100 * run.test->pixel_accuracy());
  if (const auto n = batches.broken().all().size())
    fmt::print("{} of the training pairs cannot be read; others were taken instead\n", n);
  if (const auto n = test_batches.broken().all().size())
    fmt::print("{} of the test pairs cannot be read; the figures are those of the others\n", n);
  fmt::print("weights  {}\n", (std::filesystem::path(o.out) / "last.safetensors").string());
  if (run.ended == Ended::stopped) return interrupted(run);
  if (!o.report) return 0;
  // A run cut short by --max-steps is a trial: its report looks at a part of the test set.
  const data::SegmentationSet seen = run.ended == Ended::max_steps ? thin(test_set, 8) : test_set;
  const auto path = std::filesystem::path(o.out) / "report.html";
  write_report(model, run, o, seen, path);
  fmt::print("report   {}\n", path.string());
  return 0;
}

}  // namespace segmentation
