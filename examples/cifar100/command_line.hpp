#pragma once
/// The command line of `cifar100`.

#include "../common/machine_options.hpp"
#include "../common/number_checks.hpp"
#include "../common/paths.hpp"
#include "../common/run_control.hpp"
#include "../common/run_options.hpp"
#include "commands.hpp"
#include "study.hpp"

namespace cifar {

using number_checks::above, number_checks::at_least, number_checks::between, number_checks::from_to_below,
    number_checks::one_of;

inline void add_seed_and_machine(CLI::App& app, Options& o) {
  add_machine(app, o, "of initial weights, order, augmentation, noise and generated images");
}

inline void add_batch(CLI::App& app, Options& o) {
  app.add_option("--batch", o.batch, "images per batch")->check(between(1, 65536))->capture_default_str();
}

inline void add_data(CLI::App& app, Options& o) {
  app.add_option("--data", o.data,
                 "folder with train.bin and test.bin of CIFAR-100 (binary version), or synthetic: generated images")
      ->capture_default_str();
  app.add_option("--images", o.images, "training images to generate, with --data synthetic; a fifth more for the test")
      ->check(between(1, 10'000'000))
      ->capture_default_str();
  app.add_option(
         "--val", o.val,
         "share of the training images to test on instead of the test set: for choosing settings, which must not "
         "be done on test images")
      ->check(from_to_below(0, 1))
      ->capture_default_str();
  add_batch(app, o);
}

inline void add_training(CLI::App& app, Options& o) {
  app.add_option("--epochs", o.epochs, "passes over the data; 150 in the study")
      ->check(between(1, 1'000'000))
      ->capture_default_str();
  add_optimizer(app, o);
  app.add_option("--lr", o.lr, "learning rate at the start (default 1e-3, with sgd 0.1)")->check(above(0));
  app.add_option("--schedule", o.schedule,
                 "auto: the study's, without its warm-up where --lr is given; or constant, cosine, poly")
      ->check(one_of({"auto", "constant", "cosine", "poly"}))
      ->capture_default_str();
  app.add_option(
         "--warm-up", o.warm_up,
         "epochs in which the rate rises linearly, with every schedule and instead of the study's (default: none)")
      ->check(above(0));
  app.add_option("--weight-decay", o.weight_decay, "weight decay, as the optimiser defines it")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--clip", o.clip, "largest global norm of the gradients (default: no clipping)")->check(above(0));
  app.add_option("--max-steps", o.max_steps, "stop after this many steps, for a trial (default: no limit)")
      ->check(between(1, 1'000'000'000'000));
  app.add_option("--checkpoint-steps", o.checkpoint_steps,
                 "write a checkpoint every this many steps, besides every epoch and every five minutes")
      ->check(between(1, 1'000'000'000));
  app.add_flag("!--no-augment", o.augment, "no flips, crops and colour jitter");
  app.add_flag("!--no-shuffle", o.shuffle, "images in file order");
  app.add_flag("!--no-noise", o.noise, "no noise in the gate");
  app.add_option("--init", o.init, "start from these weights (safetensors, torchvision's names)");
  app.add_option("--out", o.out, "folder for weights, checkpoint, metrics.jsonl and report.html")
      ->capture_default_str();
  add_start(app, o);
  app.add_option("--loader-threads", o.loader_threads, "threads that prepare batches; 0: the training thread does it")
      ->check(between(0, 64))
      ->capture_default_str();
}

inline void add_evaluation(CLI::App& app, Options& o) {
  app.add_option(
         "--weights", o.weights,
         "last.safetensors of a training run; it holds the options of its network and data, and options that are "
         "typed take precedence")
      ->required();
  app.add_option("--split", o.split, "images to test on: test, train, or val, those that --val cut off in training")
      ->check(one_of({"test", "val", "train"}))
      ->capture_default_str();
  app.add_option("--dump", o.dump, "write logits and sparse gate weights, in file order, to this file");
  app.add_option("--json", o.json, "write all figures to this file");
  add_expert_choice(app, o);
  add_analysis(app, o);
}

inline void add_prediction(CLI::App& app, PredictOptions& o) {
  app.add_option("pictures", o.pictures, "PNG or JPEG files of any size; the middle square is looked at")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--weights", o.weights, "last.safetensors of a training run; it holds the options of its network")
      ->required();
  app.add_option("--names", o.names, "file with a name per class, one a line, instead of the names in the weights");
  app.add_option("--top", o.top, "classes to print")->check(between(1, CifarMoENet::out))->capture_default_str();
  app.add_option("--page", o.page, "write the pictures, their classes and their experts to this HTML file");
  add_expert_choice(app, o);
}

inline void add_study(CLI::App& app, StudyOptions& s) {
  runs::add_study_options(app, s,
                          {.scale = "quick: 10 epochs, one seed, a part of the tables: about a day on two cores; "
                                    "paper: the protocol, 150 epochs "
                                    "and three seeds; smoke: a minute on generated images",
                           .data = "folder with train.bin and test.bin of CIFAR-100 (binary version)",
                           .only = "experiments, with commas between: T1, T2, T3, T4, K, G, M, F (default: all)",
                           .seeds = "runs of each network, with seeds from 42 on (default: the scale's)",
                           .out = "folder for runs, tables and study.html; give it again to go on",
                           .list = "print the runs and the time that each takes on this machine, and start none",
                           .example = "--threads 2 --epochs 5"});
}

/// Gives the options in the weights file to those that were not typed, and returns them.
inline Settings take_options(Options& o, const CLI::App& typed) {
  CLI::App known;  // all options that training leaves, with their checks
  add_network(known, o);
  add_k(known, o);
  add_data(known, o);
  add_seed_and_machine(known, o);
  check_input("--weights", o.weights);
  const Settings saved = run_options::load(o.weights, lasting_options(o));
  run_options::apply(saved, o.weights, known, [&](const std::string& name) {
    const CLI::Option* option = typed.get_option_no_throw("--" + name);
    return name != "k" && option && option->count() > 0;  // the --k of these programs is for the test
  });
  return saved;
}

}  // namespace cifar
