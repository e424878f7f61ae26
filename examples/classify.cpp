// Trains a classifier with experts on your own pictures: a folder that holds one folder per class. Then it tests the
// network, and says what single pictures show and which experts served them. `classify --help` shows the options.
#include "classify/command_line.hpp"
#include "common/class_names.hpp"
#include "common/classifier_report.hpp"
#include "common/expert_analysis.hpp"
#include "common/parse.hpp"
#include "common/predict_page.hpp"
#include "common/show_classes.hpp"

#include <moecnn/graph/passes/set_k.hpp>
#include <moecnn/model/summary.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace classify {

/// --val is a share or a folder.
data::FolderParts load(const Options& o) {
  data::ImageFolder all = data::image_folder(o.data);
  if (const auto share = o.val_share()) {
    check(*share > 0 && *share < 1, "--val is {}; expected a share above 0 and below 1, or a folder", o.val);
    return data::split_off(all, *share);
  }
  data::FolderParts parts{std::move(all), data::image_folder(o.val)};
  data::check_same_classes(parts.train, parts.validation);
  return parts;
}

data::FolderLoader test_loader(const data::ImageFolder& set, const Options& o) {
  return data::FolderLoader(
      set, o.size,
      {.batch = o.batch, .augment = o.middle(), .threads = o.loader_threads, .most_broken = o.most_broken});
}

/// Small pictures for the report, of those that can be read.
struct Thumbnails {
  data::ImageSet images;
  data::ImageFolder files;
};

Thumbnails thumbnails(const data::ImageFolder& set, int most) {
  constexpr int side = 48;
  Thumbnails t;
  t.images.h = t.images.w = side;
  t.images.class_names = t.files.class_names = set.class_names;
  t.images.name = t.files.name = set.name;
  for (const int i : classifier::thin_places(set.size(), most)) {
    const data::ImageFile& file = set.files[static_cast<std::size_t>(i)];
    data::RgbImage picture;
    try {
      picture = data::read_image(file.path, set.largest);
    } catch (const Error&) {
      continue;  // the loader has said so
    }
    const auto values = data::folder_input(picture, side, {.mean = {0, 0, 0}, .std = {1, 1, 1}});
    for (const float v : values)
      t.images.pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(v, 0.0f, 1.0f))));
    t.images.labels.push_back(file.label);
    t.files.files.push_back(file);
    ++t.images.n;
  }
  return t;
}

Tested tested(AnyModel& model, const Options& o, const Thumbnails& t) {
  return {t.images,
          [&] {
            auto loader = test_loader(t.files, o);
            return analysis::predict(model, loader);
          },
          [&](const std::vector<analysis::ExpertsOf>& choices) {
            auto loader = test_loader(t.files, o);
            return analysis::predict_each(model, loader, choices);
          }};
}

/// The layers that --backbone fills: all but the last one and the mixture.
std::vector<std::string> backbone_layers(const Options& o) {
  std::vector<std::string> layers;
  for (const std::string layer : {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"})
    if (layer != fmt::format("layer{}", o.position)) layers.push_back(layer + ".");
  return layers;
}

int train(const Options& o, const std::string& command) {
  const Start start = start_of(o);
  check_input("--backbone", o.backbone);
  check(!o.backbone.empty() || o.backbone_rate == 1, "--backbone-rate goes with --backbone");
  const data::FolderParts sets = load(o);
  const int classes = sets.train.classes(), batch = std::min(o.batch, sets.train.size());
  AnyModel model(
      make_backend(o.backend), {batch, o.size, o.size},
      {.seed = o.seed, .task = task::Classify({.label_smoothing = o.smoothing}), .precision = o.precision_used()},
      o.net(classes));
  std::vector<ParamGroup> groups;
  for (const std::string& layer : o.backbone.empty() ? std::vector<std::string>() : backbone_layers(o)) {
    if (start != Start::resume) load_part(model.params(), o.backbone, layer, layer);
    groups.push_back({layer + "*", o.backbone_rate});
  }
  for (const std::string& pattern : o.freeze) groups.push_back({.pattern = pattern, .frozen = true});
  fmt::print("{}, {} parameters; {} training and {} validation pictures of {}; backend {}\n", o.net_text(),
             moecnn::detail::with_commas(parameter_count(model.recorded())), sets.train.size(), sets.validation.size(),
             counted(classes, "class", "classes"), o.backend_text());

  data::FolderLoaderOpts l{.batch = batch, .augment = o.middle(), .seed = o.seed, .threads = o.loader_threads};
  if (o.augment) l = data::FolderLoaderOpts::training(l), l.augment.min_scale = o.smallest_crop;
  l.shuffle = true, l.broken = data::Broken::replace, l.most_broken = o.most_broken;
  data::FolderLoader batches(sets.train, o.size, l);
  data::FolderLoader test_batches = test_loader(sets.validation, o);

  WeightsMetadata metadata = run_options::metadata(lasting_options(o));
  put_class_names(metadata, sets.train.class_names);
  const Settings settings = settings_of(o, sets);
  const std::filesystem::path out = o.out;
  check_output(out / "report.html");
  const TrainResult run = fit(model, batches, test_batches,
                              {.epochs = o.epochs,
                               .max_steps = o.max_steps.value_or(0),
                               .optimizer = optimizer_of(o),
                               .groups = groups,
                               .no_decay_on_norms_and_biases = true,
                               .accumulate = o.accumulate,
                               .schedule = schedule_of(o),
                               .clip_norm = o.clip.value_or(0),
                               .seed = o.seed,
                               .noise = o.noise,
                               .out = out,
                               .start = start,
                               .keep_best = true,
                               .metadata = metadata,
                               .settings = settings,
                               .accept = {"learning rate"},
                               .notes = {{"folder of the pictures", o.data}}});
  fmt::print("{}\n", run.goodbye);
  if (run.ended == Ended::stopped) return interrupted(run);
  const Thumbnails seen = thumbnails(sets.validation, 2000), part = thumbnails(sets.validation, 500);
  const RunChoices chosen{settings,         optimizer_of(o),    schedule_of(o), command,
                          o.backend_text(), o.clip.value_or(0), o.augment};
  report::write_report(
      classifier::report_of(model.recorded(), run, o, chosen, tested(model, o, seen), tested(model, o, part),
                            fmt::format("{}, trained on the pictures in {}.", o.net_text(), o.data)),
      out / "report.html");
  if (run.test) fmt::print("top-1    {:.2f} % of the validation pictures\n", 100 * run.test->top1());
  fmt::print("weights  {}\nreport   {}\nnext     classify predict --weights {} PICTURE…\n",
             (out / "best.safetensors").string(), (out / "report.html").string(), (out / "best.safetensors").string());
  return 0;
}

/// The network in --weights with its options, and the names of its classes.
struct Trained {
  std::vector<std::string> names;
  std::unique_ptr<AnyModel> model;
};

Trained trained(Options& o, int batch) {
  CLI::App known;  // the options that training leaves, with their checks
  add_classify_network(known, o);
  add_k(known, o);
  check_input("--weights", o.weights);
  const Settings saved = run_options::load(o.weights, lasting_options(o));
  check(!saved.empty(), "--weights {}: the file holds no options; expected one that `classify train` has written",
        o.weights);
  run_options::apply(saved, o.weights, known, [&](const std::string&) { return false; });
  check_network(o);
  check_expert_choice(o, o);
  Trained t{class_names_in(weights_metadata(o.weights), o.weights), nullptr};
  check(!t.names.empty(), "--weights {}: the file names no classes; expected one that `classify train` has written",
        o.weights);
  t.model = std::make_unique<AnyModel>(make_backend(o.backend), Extent{batch, o.size, o.size},
                                       ModelOpts{.seed = o.seed, .training = false, .precision = o.precision_used()},
                                       o.net(static_cast<int>(t.names.size())));
  load_weights(t.model->params(), o.weights);
  return t;
}

int evaluate_weights(Options& o) {
  const Trained t = trained(o, o.batch);
  const data::ImageFolder set = data::image_folder(o.data);
  data::check_same_classes({.name = o.weights, .class_names = t.names}, set);
  auto loader = test_loader(set, o);
  const auto p = analysis::predict(*t.model, loader, o.predict());
  fmt::print("{}, {} of {}\n", o.net_text(), counted(p.images, "picture"), set.name);
  for (const std::string& warning : loader.warnings()) fmt::print("left out: {}\n", warning);
  print_accuracy(p, p.labels);
  const auto accuracy = analysis::class_accuracy(p, p.labels);
  std::vector<double> wrong;  // below 0 where no picture of a class could be read
  for (const double a : accuracy) wrong.push_back(std::isnan(a) ? -1 : 1 - a);
  fmt::print("hardest ");
  for (const int c : largest(wrong, o.top))
    if (wrong[static_cast<std::size_t>(c)] >= 0)
      fmt::print("  {} {:.1f} %", t.names[static_cast<std::size_t>(c)], 100 * accuracy[static_cast<std::size_t>(c)]);
  fmt::print("\n");
  print_shares(p);
  if (o.analysis.empty()) return 0;
  const Thumbnails all = thumbnails(set, set.size());
  classifier::analyse(tested(*t.model, o, all), p, o.points, o.analysis);
  return 0;
}

int predict(Options& o) {
  check_output(o.page);
  const Trained t = trained(o, 1);
  auto& program = t.model->inference(1, o.equal_weights ? every_expert : o.eval_k.value_or(0));
  std::vector<PredictedPicture> all;
  for (const std::string& file : o.pictures) {
    const data::RgbImage picture = data::read_image(file);
    const auto input = data::folder_input(picture, o.size, o.middle());
    program.set_images(input.data());
    program.forward({.fixed_expert = o.fixed_expert.value_or(-1), .equal_weights = o.equal_weights});
    fmt::print("{} ({} x {})\n", file, picture.w, picture.h);
    const Seen seen = seen_by(program, t.names, o.top);
    print(seen);
    all.push_back({file, pixels_of(input, o.size, o.middle().mean, o.middle().std), seen});
  }
  if (!o.page.empty()) {
    write_predict_page(all, o.net_text(), o.page);
    fmt::print("page     {}\n", o.page);
  }
  return 0;
}

constexpr const char* examples = R"(examples:
  classify train --data photos --out out/photos
  classify train --data photos/train --val photos/val --size 128 --position 3 --experts 8 --k 2 --out out/b
  classify train --data photos --backbone resnet18.safetensors --backbone-rate 0.1 --freeze 'conv1.*' --out out/c
  classify eval --weights out/photos/best.safetensors --data more_photos --analysis out/photos/experts
  classify predict --weights out/photos/best.safetensors cat.jpg dog.png

The folder holds one folder of PNG and JPEG files per class, which gives the class its name.)";

int run(int argc, char** argv) {
  Options o;
  CLI::App app{"A classifier with sparse mixtures of experts, trained on folders of your own pictures", "classify"};
  begin_commands(app, examples);
  CLI::App* train_command = add_command(app, "train", "train a network and write weights, metrics and a report");
  CLI::App* eval_command = add_command(app, "eval", "accuracy of trained weights on a folder of the same classes");
  CLI::App* predict_command =
      add_command(app, "predict", "classes of single pictures, and the experts that served them");

  add_training(*train_command, o);
  add_classify_network(*train_command, o);
  add_k(*train_command, o);
  add_machine(*train_command, o, "of initial weights, order, crops and noise");

  add_weights(*eval_command, o);
  eval_command->add_option("--data", o.data, "folder with one folder of PNG and JPEG files per class")->required();
  add_batch(*eval_command, o);
  for (CLI::App* c : {eval_command, predict_command}) {
    c->add_option("--top", o.top, "classes to print")
        ->check(number_checks::whole_between(1, 1'000'000))
        ->capture_default_str();
    add_expert_choice(*c, o);
    if (c == eval_command) add_analysis(*c, o);
    add_machine(*c, o, "plays no part");
  }
  add_weights(*predict_command, o);
  predict_command->add_option("--page", o.page,
                              "write the pictures, their classes and their experts to this HTML file");
  predict_command->add_option("pictures", o.pictures, "PNG or JPEG files of any size; the middle square is looked at")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);

  if (const auto status = parse_words(app, {argv + 1, argv + argc})) return *status;
  if (*train_command) check_network(o);
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  if (*train_command) return train(o, environment::command_line(argc, argv));
  return *eval_command ? evaluate_weights(o) : predict(o);
}

}  // namespace classify

int main(int argc, char** argv) try {
  flush_every_line();
  return classify::run(argc, argv);
} catch (const std::exception& e) {
  fmt::print(stderr, "classify: {}\n", e.what());
  return 1;
}
