// The CIFAR-100 study in one program: train, evaluate and describe ResNet-18 with a mixture of experts in the place of
// one of its stages. `cifar100 --help` shows what can be chosen.
#include "cifar100/options.hpp"
#include "cifar100/report.hpp"
#include "common/run_control.hpp"
#include "common/with_backend.hpp"

#include <moecnn/io/tensor_writer.hpp>
#include <moecnn/model/summary.hpp>
#include <moecnn/train/checkpoint.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace cifar {

template <class Backend>
using CifarModel = Model<CifarMoENet, Backend>;

data::Loader make_loader(const data::ImageSet& set, const Options& o, bool training) {
  data::LoaderOpts l{.batch = o.batch, .shuffle = training && o.shuffle, .seed = o.seed, .threads = o.loader_threads};
  if (training && o.augment) l.augment = data::AugmentOpts::cifar();
  return data::Loader(set, l);
}

template <class Backend>
int train(const Options& o, const std::string& command) {
  const Start start = start_of(o);
  goes_on(o.out, start);  // says so before data are loaded where it may not
  const data::ImageSet train_set = load(o, data::Split::train), test_set = load(o, data::Split::test);
  check(o.batch <= train_set.n, "a batch of {} is larger than the training set of {} images", o.batch, train_set.n);
  CifarModel<Backend> model({o.batch, train_set.h, train_set.w}, {.seed = o.seed}, o.net());
  if (!o.init.empty() && start != Start::resume) load_weights(model.params(), o.init);
  fmt::print("{}, {} parameters; {} training and {} test images; backend {}\n", o.net_text(),
             parameter_count(model.recorded()), train_set.n, test_set.n, Backend::name);

  data::Loader batches = make_loader(train_set, o, true), test_batches = make_loader(test_set, o, false);
  TrainOpts t{.epochs = o.epochs,
              .max_steps = o.max_steps,
              .optimizer = optimizer_of(o),
              .schedule = schedule_of(o),
              .clip_norm = o.clip,
              .seed = o.seed,
              .noise = o.noise,
              .out = o.out,
              .start = start,
              .checkpoint_steps = o.checkpoint_steps,
              .settings = settings_of(o),
              .test_at_stop = false};
  const TrainResult run = fit(model, batches, test_batches, t);
  fmt::print("{}\n", run.goodbye);
  if (run.ended == Ended::stopped) return interrupted(run);

  // A run cut short by --max-steps is a trial: its report looks at a part of the test set.
  const data::ImageSet seen = run.ended == Ended::max_steps ? thin(test_set, 500) : test_set;
  const auto path = std::filesystem::path(o.out) / "report.html";
  report::write_report(report_of(model, run, o, seen, command, Backend::name), path);
  fmt::print("weights  {}\nreport   {}\n", (std::filesystem::path(o.out) / "last.safetensors").string(), path.string());
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

template <class Backend>
int evaluate_weights(const Options& o) {
  const data::ImageSet test = load(o, data::Split::test);
  CifarModel<Backend> model({std::min(o.batch, test.n), test.h, test.w}, {.seed = o.seed, .training = false}, o.net());
  load_weights(model.params(), o.weights);
  const auto p = analysis::predict(
      model, test, {.batch = o.batch, .k = o.eval_k, .fixed_expert = o.fixed_expert, .equal_weights = o.equal_weights});
  fmt::print("{} on {} images of {}\n", o.net_text(), test.n, test.name);
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

template <class Backend>
int info(const Options& o) {
  CifarModel<Backend> model({o.batch, 32, 32}, {.seed = o.seed}, o.net());
  fmt::print("{}\n", summary(model.recorded(), model.training()));
  return 0;
}

constexpr const char* examples = R"(examples:
  cifar100 train --data synthetic --position 4 --epochs 3
  cifar100 train --data cifar-100-binary --position 4 --experts 4 --k 2 --constraint importance --epochs 5 --out out/a
  cifar100 train --data cifar-100-binary --position 4 --epochs 5 --out out/a --resume
  cifar100 eval --weights out/a/last.safetensors --data cifar-100-binary --position 4 --k 1 --dump out/a/test.safetensors
  cifar100 info --position 1 --experts 10)";

int run(int argc, char** argv) {
  Options o;
  CLI::App app{"ResNet-18 with sparse mixtures of experts on CIFAR-100"};
  app.footer(examples);
  app.require_subcommand(1);
  CLI::App* train_command = app.add_subcommand("train", "train a network and write weights, metrics and a report");
  CLI::App* eval_command = app.add_subcommand("eval", "accuracy of trained weights on the test images");
  CLI::App* info_command = app.add_subcommand("info", "layers, parameters, multiply-adds and memory");
  for (CLI::App* c : {train_command, eval_command, info_command}) c->footer(examples);

  add_network(*train_command, o);
  add_data(*train_command, o);
  add_training(*train_command, o);

  add_network(*eval_command, o);
  eval_command->remove_option(eval_command->get_option("--k"));
  eval_command->add_option("--k", o.eval_k, "experts per image; default: 2")->check(CLI::PositiveNumber);
  add_data(*eval_command, o);
  eval_command->add_option("--weights", o.weights, "last.safetensors of a training run")->required();
  eval_command->add_option("--dump", o.dump, "write logits and sparse gate weights, in file order, to this file");
  eval_command->add_option("--fixed-expert", o.fixed_expert, "only this expert serves every image");
  eval_command->add_flag("--equal-weights", o.equal_weights, "all experts run, with equal weight");

  add_network(*info_command, o);
  info_command->add_option("--batch", o.batch, "images per batch")->capture_default_str();

  CLI11_PARSE(app, argc, argv);
  if (o.epochs == 0) o.epochs = 5;
  check(o.epochs > 0, "--epochs is {}; it must be at least 1", o.epochs);
  check(o.batch > 0, "--batch is {}; it must be at least 1", o.batch);
  check(o.lr >= 0, "--lr is {}; it must be above 0", o.lr);
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  const std::string command = environment::command_line(argc, argv);
  return with_backend(o.backend, [&](auto backend) {
    using Backend = decltype(backend);
    if (*train_command) return train<Backend>(o, command);
    if (*eval_command) return evaluate_weights<Backend>(o);
    return info<Backend>(o);
  });
}

}  // namespace cifar

int main(int argc, char** argv) try {
  flush_every_line();
  return cifar::run(argc, argv);
} catch (const std::exception& e) {
  fmt::print(stderr, "cifar100: {}\n", e.what());
  return 1;
}
