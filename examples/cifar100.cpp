// The CIFAR-100 study in one program: train, evaluate and describe ResNet-18 with a mixture of experts instead of one of
// its stages. `cifar100 --help` shows what can be chosen.
#include "cifar100/command_line.hpp"
#include "cifar100/commands.hpp"
#include "cifar100/study.hpp"
#include "common/class_names.hpp"
#include "common/classifier_report.hpp"
#include "common/expert_analysis.hpp"
#include "common/parse.hpp"
#include "common/show_classes.hpp"

#include <moecnn/io/tensor_writer.hpp>
#include <moecnn/model/summary.hpp>
#include <moecnn/train/checkpoint.hpp>

#include <chrono>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace cifar {

data::Loader make_loader(const data::ImageSet& set, const Options& o, bool training) {
  data::LoaderOpts l{.batch = o.batch, .shuffle = training && o.shuffle, .seed = o.seed, .threads = o.loader_threads};
  if (training && o.augment) l.augment = data::AugmentOpts::cifar();
  return data::Loader(set, l);
}

Tested tested_on(AnyModel& model, const data::ImageSet& set, int batch = 100) {
  return {set, [&model, &set, batch] { return analysis::predict(model, set, {.batch = batch}); },
          [&model, &set, batch](const std::vector<analysis::ExpertsOf>& choices) {
            return analysis::predict_each(model, set, choices, {.batch = batch});
          }};
}

int train(const Options& o, const std::string& command) {
  const Start start = start_of(o);
  goes_on(o.out, start);  // says so before data are loaded where it may not
  const bool initialised = !o.init.empty() && start != Start::resume;
  if (initialised) check_input("--init", o.init);
  const data::Parts sets = load_parts(o);
  const data::ImageSet &train_set = sets.train, &test_set = sets.validation;
  check(o.batch <= train_set.n, "--batch is {}, but the training set has {}; choose a smaller batch", o.batch,
        counted(train_set.n, "image"));
  AnyModel model(make_backend(o.backend), {o.batch, train_set.h, train_set.w},
                 {.seed = o.seed, .precision = o.precision_used()}, o.net());
  if (initialised) load_weights(model.params(), o.init);
  fmt::print("{}, {} parameters; {} training and {} {} images; backend {}\n", o.net_text(),
             moecnn::detail::with_commas(parameter_count(model.recorded())), train_set.n, test_set.n, o.tested(),
             o.backend_text());

  data::Loader batches = make_loader(train_set, o, true), test_batches = make_loader(test_set, o, false);
  const std::filesystem::path out = o.out;
  for (const char* file : {"report.html", "last.safetensors", "checkpoint.safetensors"}) check_output(out / file);
  WeightsMetadata metadata = run_options::metadata(lasting_options(o));
  put_class_names(metadata, train_set.class_names);
  TrainOpts t{.epochs = o.epochs,
              .max_steps = o.max_steps.value_or(0),
              .optimizer = optimizer_of(o),
              .schedule = schedule_of(o),
              .clip_norm = o.clip.value_or(0),
              .seed = o.seed,
              .noise = o.noise,
              .out = out,
              .start = start,
              .checkpoint_steps = o.checkpoint_steps.value_or(0),
              .metadata = metadata,
              .settings = fixed_settings(o, train_set),
              .accept = {"learning rate"},  // it changes with the number of epochs; the rest of it is in the settings
              .notes = {{"folder of the data", o.data}},
              .test_at_stop = false};
  const TrainResult run = fit(model, batches, test_batches, t);
  fmt::print("{}\n", run.goodbye);
  if (run.ended == Ended::stopped) return interrupted(run);

  // A run cut short by --max-steps is a trial: its report looks at a part of the test set.
  const auto part_of = [&](int most) {
    return data::subset(test_set, classifier::thin_places(test_set.n, most), test_set.name);
  };
  const bool trial = run.ended == Ended::max_steps;
  const data::ImageSet seen = trial ? part_of(500) : test_set, part = trial ? seen : part_of(2000);
  const RunChoices chosen{settings_of(o),   optimizer_of(o),    schedule_of(o), command,
                          o.backend_text(), o.clip.value_or(0), o.augment};
  report::write_report(
      classifier::report_of(
          model.recorded(), run, o, chosen, tested_on(model, seen), tested_on(model, part),
          fmt::format("{}, trained on {}.", o.net_text(),
                      o.data == "synthetic" ? "generated images (100 classes in 20 families)" : "CIFAR-100")),
      out / "report.html");
  if (run.test)
    fmt::print("top-1    {:.2f} % on the {} images, after epoch {}\ntop-5    {:.2f} %\n", 100 * run.test->top1(),
               o.tested(), run.epochs.empty() ? 0 : run.epochs.back().epoch + 1, 100 * run.test->top5());
  fmt::print("weights  {}\nreport   {}\n", (out / "last.safetensors").string(), (out / "report.html").string());
  return 0;
}

void write_dump(const analysis::Predictions& p, const std::string& path) {
  io::TensorWriter w;
  w.add("logits", DType::f32, {p.images, p.classes}, p.logits.data());
  std::vector<std::vector<float>> weights;  // kept until the file is written
  for (const auto& m : p.mixtures) {
    const auto& values = weights.emplace_back(m.weights.flat().begin(), m.weights.flat().end());
    const std::string name = p.mixtures.size() == 1 ? "gate_weights" : "gate_weights." + m.name;
    w.add(name, DType::f32, {p.images, m.weights.cols()}, values.data());
  }
  w.write(path);
  fmt::print("dump     {}\n", path);
}

/// Accuracy and the use of the experts; `mixtures`: what analyse() has given, or null.
io::Json json_of(const AnyModel& model, const Options& o, const analysis::Predictions& p, const data::ImageSet& test,
                 const io::Json& mixtures) {
  io::Json all = io::Json::object({{"network", o.net_text()},
                                   {"data", test.name},
                                   {"images", p.images},
                                   {"parameters", parameter_count(model.recorded())},
                                   {"macs_per_image", macs_per_image(model.recorded())},
                                   {"top1", analysis::top_k_accuracy(p, test.labels, 1)},
                                   {"top5", analysis::top_k_accuracy(p, test.labels, 5)}});
  if (mixtures.is_array()) return all.set("mixtures", mixtures), all;
  io::Json list = io::Json::array();
  for (const auto& m : p.mixtures) {
    const analysis::Utilisation use = analysis::utilisation(m.weights);
    list.add(io::Json::object({{"mixture", m.name},
                               {"k", m.k},
                               {"cv_counts", use.cv_counts},
                               {"cv_importance", use.cv_importance},
                               {"living", use.living},
                               {"mean_weights", use.importance}}));
  }
  all.set("mixtures", list);
  return all;
}

/// `from`: where the network's options come from, in words.
int evaluate_weights(const Options& o, const std::string& from) {
  const data::ImageSet test = load_split(o);
  AnyModel model(make_backend(o.backend), {std::min(o.batch, test.n), test.h, test.w},
                 {.seed = o.seed, .training = false, .precision = o.precision_used()}, o.net());
  try {
    load_weights(model.params(), o.weights);
  } catch (const Error& e) {
    fail("{}\nThe network was made for --position {} --experts {} --gate {} --constraint {}, from {}", e.what(),
         o.position, o.experts, o.gate, o.constraint, from);
  }
  check_output(o.dump);
  check_output(o.json);
  analysis::PredictOpts opts = o.predict();
  opts.batch = o.batch;
  const auto p = analysis::predict(model, test, opts);
  fmt::print("network  from {}\n", from);
  fmt::print("{} on {} of {}\n", o.net_text(), counted(test.n, "image"), test.name);
  print_accuracy(p, test.labels);
  print_shares(p);
  if (!o.dump.empty()) write_dump(p, o.dump);
  io::Json mixtures;
  if (!o.analysis.empty()) mixtures = classifier::analyse(tested_on(model, test, o.batch), p, o.points, o.analysis);
  if (!o.json.empty()) {
    runs::write_text(o.json, json_of(model, o, p, test, mixtures).dump(1) + "\n");
    fmt::print("figures  {}\n", o.json);
  }
  return 0;
}

double training_rate(const Options& o) {
  constexpr int steps = 3;
  data::ImageSet images = data::synthetic(steps * o.batch, o.seed, data::Split::train);
  AnyModel model(make_backend(o.backend), {o.batch, 32, 32}, {.seed = o.seed, .precision = o.precision_used()},
                 o.net());
  data::Loader batches = make_loader(images, o, true);
  NoBatches none;
  std::chrono::steady_clock::time_point from;
  fit(model, batches, none,
      {.max_steps = steps, .progress = {.show = ShowProgress::none}, .on_step = [&](const StepInfo& s) {
         if (s.step == 1) from = std::chrono::steady_clock::now();  // the first step makes code
       }});
  return (steps - 1) * o.batch / std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

int info(const Options& o) {
  AnyModel model(make_backend(o.backend), {o.batch, 32, 32}, {.seed = o.seed, .precision = o.precision_used()},
                 o.net());
  fmt::print("{}\n", summary(model.recorded(), model.training()));
  return 0;
}

constexpr const char* examples = R"(examples:
  cifar100 train --data synthetic --position 4 --epochs 3
  cifar100 train --data cifar-100-binary --position 4 --constraint relative --epochs 5 --out out/a
  cifar100 train --data cifar-100-binary --position 4 --constraint relative --epochs 5 --out out/a --resume
  cifar100 eval --data cifar-100-binary --weights out/a/last.safetensors
  cifar100 eval --data cifar-100-binary --weights out/a/last.safetensors --k 1 --dump out/a/test.safetensors
  cifar100 eval --data cifar-100-binary --weights out/a/last.safetensors --analysis out/a/experts
  cifar100 predict --weights out/a/last.safetensors --page out/a/photo.html photo.jpg
  cifar100 study --data cifar-100-binary --scale quick --list
  cifar100 study --data cifar-100-binary --scale quick --out out/study_cifar100
  cifar100 info --position 1 --experts 10)";

/// Takes the options of the network from its weights; returns where they come from, in words.
std::string take_network(Options& o, const CLI::App& eval) {
  const Settings saved = take_options(o, eval);
  for (const auto& [name, value] : saved)
    check(name != "data" || value == "synthetic" || eval.count("--data") > 0,
          "--data is missing: {} does not say that the network was trained on generated images; give the folder that "
          "holds train.bin and test.bin of CIFAR-100",
          o.weights);
  return run_options::origin(saved, o.weights);
}

/// Images per second in training a network of the study with the options that every run is given.
double rate_of(const Cell& cell, const std::vector<std::string>& passed_on) {
  Options o;
  CLI::App train;
  add_network(train, o);
  add_k(train, o);
  add_data(train, o);
  add_training(train, o);
  add_seed_and_machine(train, o);
  const runs::Words words = cell.words() + passed_on;
  train.parse(std::vector<std::string>(words.rbegin(), words.rend()));
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  return training_rate(o);
}

int run(const std::vector<std::string>& words, const std::string& typed) {
  PredictOptions o;
  StudyOptions s;
  CLI::App app{"ResNet-18 with sparse mixtures of experts on CIFAR-100", "cifar100"};
  begin_commands(app, examples);
  CLI::App* train_command = add_command(app, "train", "train a network and write weights, metrics and a report");
  CLI::App* eval_command = add_command(app, "eval", "accuracy of trained weights, and what their experts do");
  CLI::App* predict_command =
      add_command(app, "predict", "classes of single pictures, and the experts that served them");
  CLI::App* study_command =
      add_command(app, "study", "every table and figure of the paper, run by run; finished runs are skipped");
  CLI::App* info_command = add_command(app, "info", "layers, parameters, multiply-adds and memory");

  add_network(*train_command, o);
  add_k(*train_command, o);
  add_data(*train_command, o);
  add_training(*train_command, o);
  add_seed_and_machine(*train_command, o);

  add_evaluation(*eval_command, o);
  add_data(*eval_command, o);
  add_network(*eval_command, o);
  add_seed_and_machine(*eval_command, o);

  add_prediction(*predict_command, o);
  add_network(*predict_command, o);
  add_seed_and_machine(*predict_command, o);

  add_study(*study_command, s);

  add_network(*info_command, o);
  add_k(*info_command, o);
  add_batch(*info_command, o);
  add_seed_and_machine(*info_command, o);

  if (const auto status = parse_words(app, words)) return *status;
  if (*study_command) {
    s.passed_on = study_command->remaining();
    return study(s, runs::with_other_words("cifar100", run),
                 [&](const Cell& cell) { return rate_of(cell, s.passed_on); });
  }
  std::string from = "the command line";
  if (*eval_command) from = take_network(o, *eval_command);
  if (*predict_command) take_options(o, *predict_command);
  check_network(o);
  if (*eval_command || *predict_command) check_expert_choice(o, o);
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  if (*train_command) return train(o, typed);
  if (*eval_command) return evaluate_weights(o, from);
  if (*predict_command) return predict(o);
  return info(o);
}

}  // namespace cifar

int main(int argc, char** argv) try {
  flush_every_line();
  return cifar::run({argv + 1, argv + argc}, environment::command_line(argc, argv));
} catch (const std::exception& e) {
  fmt::print(stderr, "cifar100: {}\n", e.what());
  return 1;
}
