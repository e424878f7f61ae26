// The CIFAR-100 study in one program: train, evaluate and describe ResNet-18 with a mixture of experts instead of one of
// its stages. `cifar100 --help` shows what can be chosen.
#include "cifar100/command_line.hpp"
#include "cifar100/report.hpp"
#include "common/make_backend.hpp"
#include "common/parse.hpp"
#include "common/paths.hpp"
#include "common/run_control.hpp"
#include "common/run_options.hpp"

#include <moecnn/io/tensor_writer.hpp>
#include <moecnn/model/summary.hpp>
#include <moecnn/train/checkpoint.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace cifar {

data::Loader make_loader(const data::ImageSet& set, const Options& o, bool training) {
  data::LoaderOpts l{.batch = o.batch, .shuffle = training && o.shuffle, .seed = o.seed, .threads = o.loader_threads};
  if (training && o.augment) l.augment = data::AugmentOpts::cifar();
  return data::Loader(set, l);
}

int train(const Options& o, const std::string& command) {
  const Start start = start_of(o);
  goes_on(o.out, start);  // says so before data are loaded where it may not
  const bool initialised = !o.init.empty() && start != Start::resume;
  if (initialised) check_input("--init", o.init);
  const data::ImageSet train_set = load(o, data::Split::train), test_set = load(o, data::Split::test);
  check(o.batch <= train_set.n, "--batch is {}, but the training set has {}; choose a smaller batch", o.batch,
        counted(train_set.n, "image"));
  AnyModel model(make_backend(o.backend), {o.batch, train_set.h, train_set.w}, {.seed = o.seed}, o.net());
  if (initialised) load_weights(model.params(), o.init);
  fmt::print("{}, {} parameters; {} training and {} test images; backend {}\n", o.net_text(),
             moecnn::detail::with_commas(parameter_count(model.recorded())), train_set.n, test_set.n,
             model.backend().title());

  data::Loader batches = make_loader(train_set, o, true), test_batches = make_loader(test_set, o, false);
  const std::filesystem::path out = o.out;
  for (const char* file : {"report.html", "options.json", "last.safetensors", "checkpoint.safetensors"})
    check_output(out / file);
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
              .settings = fixed_settings(o, train_set),
              .accept = {"learning rate"},  // it changes with the number of epochs; the rest of it is in the settings
              .notes = {{"folder of the data", o.data}},
              .test_at_stop = false,
              .on_start = [&] {
                run_options::save(out, lasting_options(o));
              }};  // until then the options in the folder are an older run's
  const TrainResult run = fit(model, batches, test_batches, t);
  fmt::print("{}\n", run.goodbye);
  if (run.ended == Ended::stopped) return interrupted(run);

  // A run cut short by --max-steps is a trial: its report looks at a part of the test set.
  const data::ImageSet seen = run.ended == Ended::max_steps ? thin(test_set, 500) : test_set;
  report::write_report(report_of(model, run, o, seen, command, model.backend().title()), out / "report.html");
  if (run.test)
    fmt::print("top-1    {:.2f} % on the test images, after epoch {}\ntop-5    {:.2f} %\n", 100 * run.test->top1(),
               run.epochs.empty() ? 0 : run.epochs.back().epoch + 1, 100 * run.test->top5());
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

/// `from`: where the network's options come from, in words.
int evaluate_weights(const Options& o, const std::string& from) {
  check_input("--weights", o.weights);
  const data::ImageSet test = load(o, data::Split::test);
  AnyModel model(make_backend(o.backend), {std::min(o.batch, test.n), test.h, test.w},
                 {.seed = o.seed, .training = false}, o.net());
  try {
    load_weights(model.params(), o.weights);
  } catch (const Error& e) {
    fail("{}\nThe network was made for --position {} --experts {} --gate {} --constraint {}, from {}", e.what(),
         o.position, o.experts, o.gate, o.constraint, from);
  }
  check_output(o.dump);
  const auto p = analysis::predict(model, test,
                                   {.batch = o.batch,
                                    .k = o.eval_k.value_or(0),
                                    .fixed_expert = o.fixed_expert.value_or(-1),
                                    .equal_weights = o.equal_weights});
  fmt::print("network  from {}\n", from);
  fmt::print("{} on {} of {}\n", o.net_text(), counted(test.n, "image"), test.name);
  fmt::print("top-1    {:.2f} %\ntop-5    {:.2f} %\n", 100 * analysis::top_k_accuracy(p, test.labels, 1),
             100 * analysis::top_k_accuracy(p, test.labels, 5));
  for (const auto& m : p.mixtures) {
    fmt::print("{}, k = {}: share of the weight per expert:", m.name, m.k);
    for (int e = 0; e < m.weights.cols(); ++e) {
      double sum = 0;
      for (int i = 0; i < m.weights.rows(); ++i) sum += m.weights(i, e);
      fmt::print(" {:.1f} %", 100 * sum / m.weights.rows());
    }
    fmt::print("\n");
  }
  if (!o.dump.empty()) write_dump(p, o.dump);
  return 0;
}

int info(const Options& o) {
  AnyModel model(make_backend(o.backend), {o.batch, 32, 32}, {.seed = o.seed}, o.net());
  fmt::print("{}\n", summary(model.recorded(), model.training()));
  return 0;
}

constexpr const char* examples = R"(examples:
  cifar100 train --data synthetic --position 4 --epochs 3
  cifar100 train --data cifar-100-binary --position 4 --constraint relative --epochs 5 --out out/a
  cifar100 train --data cifar-100-binary --position 4 --constraint relative --epochs 5 --out out/a --resume
  cifar100 eval --data cifar-100-binary --weights out/a/last.safetensors
  cifar100 eval --data cifar-100-binary --weights out/a/last.safetensors --k 1 --dump out/a/test.safetensors
  cifar100 info --position 1 --experts 10)";

/// Takes what training left beside the weights and was not typed; returns where the network's options then come from.
std::string take_options(Options& o, CLI::App& train, const CLI::App& eval) {
  const std::filesystem::path folder = std::filesystem::path(o.weights).parent_path();
  const Settings saved = run_options::load(folder, lasting_options(o));
  const std::string file = run_options::file_in(folder).string();
  for (const auto& [name, value] : saved)
    check(name != "data" || value == o.data || eval.count("--data") > 0,
          "--data is missing: {} does not say that the network was trained on generated images; give the folder that "
          "holds test.bin of CIFAR-100",
          file);
  run_options::apply(saved, folder, train, [&](const std::string& name) {
    const CLI::Option* option = eval.get_option_no_throw("--" + name);
    return name != "k" && option && option->count() > 0;  // eval's own --k is for the test, the other for the network
  });
  return saved.empty() ? "the command line; there is no " + file : file + " and the command line";
}

int run(int argc, char** argv) {
  Options o;
  CLI::App app{"ResNet-18 with sparse mixtures of experts on CIFAR-100", "cifar100"};
  app.footer(examples);
  app.require_subcommand(1);
  // Scripts put their own options behind common ones: the last word counts.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const auto command = [&](const char* name, const char* text) {
    CLI::App* c = app.add_subcommand(name, text);
    c->footer(examples);
    return c;
  };
  CLI::App* train_command = command("train", "train a network and write weights, metrics and a report");
  CLI::App* eval_command = command("eval", "accuracy of trained weights on the test images");
  CLI::App* info_command = command("info", "layers, parameters, multiply-adds and memory");

  add_network(*train_command, o);
  add_k(*train_command, o);
  add_data(*train_command, o);
  add_training(*train_command, o);
  add_seed_and_machine(*train_command, o);

  add_evaluation(*eval_command, o);
  add_data(*eval_command, o);
  add_network(*eval_command, o);
  add_seed_and_machine(*eval_command, o);

  add_network(*info_command, o);
  add_k(*info_command, o);
  add_batch(*info_command, o);
  add_seed_and_machine(*info_command, o);

  if (const auto status = parse_words(app, {argv + 1, argv + argc})) return *status;
  std::string from = "the command line";
  if (*eval_command) from = take_options(o, *train_command, *eval_command);
  check_network(o);
  if (*eval_command) check_evaluation(o);
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  const std::string typed = environment::command_line(argc, argv);
  if (*train_command) return train(o, typed);
  if (*eval_command) return evaluate_weights(o, from);
  return info(o);
}

}  // namespace cifar

int main(int argc, char** argv) try {
  flush_every_line();
  return cifar::run(argc, argv);
} catch (const std::exception& e) {
  fmt::print(stderr, "cifar100: {}\n", e.what());
  return 1;
}
