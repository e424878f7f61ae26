#pragma once
/// The command line of `cifar100`.

#include "../common/machine_options.hpp"
#include "../common/number_checks.hpp"
#include "../common/run_control.hpp"
#include "options.hpp"

namespace cifar {

using number_checks::above, number_checks::at_least, number_checks::between, number_checks::from_to_below,
    number_checks::one_of;

/// Of the network alone; shared by all commands. The number of active experts is not among them, see add_k().
inline void add_network(CLI::App& app, Options& o) {
  app.add_option("--position", o.position, "stage replaced by the mixture, 1 to 4; 0 = plain ResNet-18")
      ->check(between(0, 4))
      ->capture_default_str();
  app.add_option("--experts", o.experts, "experts N in the mixture")->check(between(1, 1024))->capture_default_str();
  app.add_option("--gate", o.gate,
                 "gap: pooling and a linear layer; conv: a convolution before it; relu-gap: a ReLU before it")
      ->check(one_of({"gap", "conv", "relu-gap"}))
      ->capture_default_str();
  app.add_option("--constraint", o.constraint,
                 "how use is kept even: none; a balance loss: importance, kl; a hard constraint: relative, mean, which "
                 "bars experts that are used too much")
      ->check(one_of({"none", "importance", "kl", "relative", "mean"}))
      ->capture_default_str();
  app.add_option(
         "--strength", o.strength,
         fmt::format("weight of the balance loss (default {}) or limit of the hard constraint (relative {}, mean {})",
                     balance::Importance{}.weight, constraint::RelativeImportance{}.limit,
                     constraint::MeanImportance{}.limit))
      ->check(at_least(0));
}

inline void add_seed_and_machine(CLI::App& app, Options& o) {
  add_machine(app, o, "of initial weights, order, augmentation, noise and generated images");
}

inline void add_k(CLI::App& app, Options& o) {
  app.add_option("--k", o.k, "experts per image (default 2)")->check(between(1, 1024));
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
  add_batch(app, o);
}

inline void add_training(CLI::App& app, Options& o) {
  app.add_option("--epochs", o.epochs, "passes over the data; 150 in the study")
      ->check(between(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--optimizer", o.optimizer, "adam, adamw or sgd")
      ->check(one_of({"adam", "adamw", "sgd"}))
      ->capture_default_str();
  app.add_option("--lr", o.lr, "learning rate at the start (default 1e-3, with sgd 0.1)")->check(above(0));
  app.add_option("--schedule", o.schedule,
                 "auto: the study's, without its warm-up where --lr is given; or constant, cosine, poly")
      ->check(one_of({"auto", "constant", "cosine", "poly"}))
      ->capture_default_str();
  app.add_option(
         "--warm-up", o.warm_up,
         "epochs in which the rate rises linearly, with every schedule and instead of the study's (default: none)")
      ->check(above(0));
  CLI::Option* momentum =
      app.add_option("--momentum", o.momentum, "with sgd")->check(from_to_below(0, 1))->capture_default_str();
  CLI::Option* nesterov = app.add_flag("--nesterov", o.nesterov, "Nesterov momentum, with sgd");
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
  app.add_option("--loader-threads", o.loader_threads,
                 "threads that make batches ready; 0: the training thread does it")
      ->check(between(0, 64))
      ->capture_default_str();
  app.final_callback([&o, momentum, nesterov] {
    check(o.optimizer == "sgd" || momentum->count() + nesterov->count() == 0,
          "--momentum and --nesterov go with --optimizer sgd, not {}", o.optimizer);
  });
}

inline void add_evaluation(CLI::App& app, Options& o) {
  app.add_option("--weights", o.weights,
                 "last.safetensors of a training run; options.json beside it says which network and data it is of, and "
                 "what is typed has the last word")
      ->required();
  app.add_option("--dump", o.dump, "write logits and sparse gate weights, in file order, to this file");
  CLI::Option* k =
      app.add_option("--k", o.eval_k, "experts per image (default: as in training)")->check(between(1, 1024));
  CLI::Option* fixed =
      app.add_option("--fixed-expert", o.fixed_expert, "only this expert, counted from 0, serves every image")
          ->check(between(0, 1023));
  CLI::Option* equal = app.add_flag("--equal-weights", o.equal_weights, "all experts run, with equal weight");
  fixed->excludes(k)->excludes(equal);
  equal->excludes(k);
}

}  // namespace cifar
