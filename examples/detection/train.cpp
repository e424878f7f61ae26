#include "../common/class_names.hpp"
#include "../common/paths.hpp"
#include "../common/run_control.hpp"
#include "../common/run_options.hpp"
#include "commands.hpp"
#include "report.hpp"

#include <moecnn/analysis/detect.hpp>
#include <moecnn/model/summary.hpp>
#include <moecnn/train/trainer.hpp>

namespace detection_program {

namespace {

/// Takes weights from the files that the options name. A mixture that is upcycled keeps its gates.
void load_start(ParamStore& store, const Options& o) {
  if (!o.init.empty()) load_weights(store, o.init);
  if (!o.backbone_weights.empty())
    for (const std::string layer : backbone_layers) load_part(store, o.backbone_weights, layer, layer);
  if (!o.base_weights.empty()) {
    for (const std::string layer : backbone_layers) load_part(store, o.base_weights, layer, layer);
    load_part(store, o.base_weights, "fpn.", "fpn.");
  }
  using Scale = UpcycleOpts::Scale;
  if (!o.upcycle.empty())
    load_upcycled(
        store, o.upcycle,
        {.noise = o.upcycle_noise, .scale = o.relative_noise ? Scale::relative : Scale::absolute, .seed = o.seed});
}

Settings settings_of(const Options& o, const data::DetectionSet& set) {
  Settings all{{"network", o.net_text()}};
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  add("data", formatted("{}, {} pictures, {} boxes", set.name, set.size(), set.objects.size()));
  if (o.overfit > 0) add("pictures to overfit", formatted("{}", o.overfit));
  add("seed", formatted("{}", o.seed));
  add("initial weights", o.init.empty() ? "random" : runs::path_text(o.init));
  if (!o.backbone_weights.empty()) add("backbone", runs::path_text(o.backbone_weights));
  if (!o.base_weights.empty()) add("backbone and pyramid", runs::path_text(o.base_weights));
  if (!o.upcycle.empty())
    add("upcycled from",
        formatted("{}, {}noise {}", runs::path_text(o.upcycle), o.relative_noise ? "relative " : "", o.upcycle_noise));
  add("batch norms", frozen_norms(o) ? "keep their statistics" : "trained");
  add("schedule",
      formatted("{} from {}{}", o.schedule, o.lr, o.warm_up > 0 ? formatted(", warm-up of {} epochs", o.warm_up) : ""));
  add("backend", o.backend_text());
  return all;
}

/// The first pictures of a set.
data::DetectionSet first_of(const data::DetectionSet& set, int most) {
  data::DetectionSet part = set;
  const int n = std::min(most, set.size());
  part.pictures.resize(static_cast<std::size_t>(n));
  part.first.resize(static_cast<std::size_t>(n) + 1);
  const std::size_t objects = part.first.back();
  part.objects.resize(objects), part.boxes.resize(objects), part.annotation_ids.resize(objects);
  if (part.in_memory()) part.pixels.resize(static_cast<std::size_t>(n));
  return part;
}

}  // namespace

int train(Options& o, const std::string&) {
  const Start start = start_of(o);
  goes_on(o.out, start);  // says so before data are loaded where it may not
  for (const auto& [option, file] : {std::pair{"--init", &o.init},
                                     {"--backbone-weights", &o.backbone_weights},
                                     {"--base-weights", &o.base_weights},
                                     {"--upcycle", &o.upcycle}})
    check_input(option, *file);
  check(o.upcycle.empty() || o.has_mixture(), "--upcycle makes experts of plain heads: choose a mixture with --moe");
  data::DetectionSet train_set = load(o, "train");
  if (o.overfit > 0) train_set = first_of(train_set, o.overfit);
  const data::DetectionSet test_set = o.overfit > 0 ? train_set : load(o, "val");
  o.classes = train_set.classes();

  data::DetectionLoader batches(train_set, loader_opts(o, true)), test_batches(test_set, loader_opts(o, false));
  const auto& shapes = batches.shapes().shapes;
  Size2 largest = shapes.front();
  for (const Size2 s : shapes)
    if (s.h * s.w > largest.h * largest.w) largest = s;
  ModelOpts opts{.seed = o.seed, .task = task::Detect(), .precision = o.precision_used()};
  if (frozen_norms(o)) opts.frozen_norms = {"*"};
  AnyModel model(make_backend(o.backend), {o.batch, largest.h, largest.w}, opts, o.net());
  if (start != Start::resume) load_start(model.params(), o);
  fmt::print("{}, {} parameters; {} of {}, {} to test; {} of {}; backend {}\n", o.net_text(),
             moecnn::detail::with_commas(parameter_count(model.recorded())), counted(train_set.size(), "picture"),
             counted(o.classes, "class", "classes"), test_set.size(), counted(batches.shapes().size(), "shape"),
             formatted("{} × {} pixels at most", largest.h, largest.w), o.backend_text());

  WeightsMetadata metadata = run_options::metadata(lasting_options(o));
  put_class_names(metadata, train_set.class_names);
  const Settings settings = settings_of(o, train_set);
  std::optional<analysis::BoxEvaluation> last;
  const TrainResult run =
      fit(model, batches,
          {.epochs = o.epochs,
           .max_steps = o.max_steps.value_or(0),
           .optimizer = optimizer_of(o),
           .groups = frozen_groups(o),
           .schedule = schedule_of(o),
           .clip_norm = o.clip,
           .seed = o.seed,
           .noise = o.noise,
           .out = o.out,
           .start = start,
           .keep_best = true,
           .metadata = metadata,
           .settings = settings,
           .accept = {"learning rate"},
           .notes = {{"folder of the data", runs::path_text(o.data)}},
           .test_epochs = o.test_epochs,
           .test = [&](const StopAsked& stop) {
             last = analysis::evaluate_boxes(model, test_batches, test_set, {.keep = shown_pictures, .stop = stop});
             return last->record();
           }});
  fmt::print("{}\n", run.goodbye);
  if (run.ended == Ended::stopped) return interrupted(run);
  if (last)
    fmt::print("AP       {:.2f} %\nAP50     {:.2f} %\nlosses   class {:.4f}, box {:.4f}\n", 100 * last->metric.ap(),
               100 * last->metric.ap({.iou = 0.5}), last->class_loss, last->box_loss);
  const std::filesystem::path out = o.out;
  if (last) write_report(model, run, o, settings, *last, test_set, out / "report.html");
  fmt::print("weights  {}\nreport   {}\n", (out / "best.safetensors").string(), (out / "report.html").string());
  return 0;
}

}  // namespace detection_program
