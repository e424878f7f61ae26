#pragma once
/// The command line of `classify`.

#include "../common/machine_options.hpp"
#include "../common/paths.hpp"
#include "../common/run_control.hpp"
#include "../common/run_options.hpp"
#include "options.hpp"

namespace classify {

inline void add_classify_network(CLI::App& app, Options& o) {
  add_network(app, o);
  app.add_option("--size", o.size, "side of the square that the network sees, in pixels; every picture is scaled to it")
      ->check(number_checks::whole_between(32, 1024))
      ->capture_default_str();
}

inline void add_batch(CLI::App& app, Options& o) {
  app.add_option("--batch", o.batch, "pictures per batch")
      ->check(number_checks::whole_between(1, 65536))
      ->capture_default_str();
  app.add_option("--most-broken", o.most_broken, "share of the pictures that may be unreadable; more end the run")
      ->check(number_checks::between(0, 1))
      ->capture_default_str();
  app.add_option("--loader-threads", o.loader_threads, "threads that decode pictures; 0: the training thread does it")
      ->check(number_checks::whole_between(0, 64))
      ->capture_default_str();
}

inline void add_training(CLI::App& app, Options& o) {
  using namespace number_checks;
  app.add_option("--data", o.data, "folder with one folder of PNG and JPEG files per class")->required();
  app.add_option("--val", o.val, "another such folder to test on, or the share of --data that is cut off for it")
      ->capture_default_str();
  add_batch(app, o);
  app.add_option("--smallest-crop", o.smallest_crop,
                 "training sees random crops of at least this share of a picture's area; 0.08 for large sets")
      ->check(between(0.01, 1))
      ->capture_default_str();
  app.add_flag("!--no-augment", o.augment, "training sees the middle of every picture, without crops and flips");
  app.add_option("--epochs", o.epochs, "passes over the data")
      ->check(whole_between(1, 1'000'000))
      ->capture_default_str();
  add_optimizer(app, o);
  app.add_option("--lr", o.lr, "largest learning rate (default 1e-3, with sgd 0.05)")->check(above(0));
  app.add_option("--schedule", o.schedule, "of the learning rate: constant, cosine or poly")
      ->check(one_of({"constant", "cosine", "poly"}))
      ->capture_default_str();
  app.add_option("--warm-up", o.warm_up, "epochs in which the rate rises linearly; 0: none")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "weight decay; norms and biases have none")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--label-smoothing", o.smoothing, "share of the target that all classes get alike")
      ->check(from_to_below(0, 1))
      ->capture_default_str();
  app.add_option("--clip", o.clip, "largest global norm of the gradients (default: no clipping)")->check(above(0));
  app.add_option("--accumulate", o.accumulate, "batches per update, for batches that do not fit into memory")
      ->check(whole_between(1, 10000))
      ->capture_default_str();
  app.add_option(
      "--backbone", o.backbone,
      "start from these weights (safetensors, torchvision's names of resnet18); the last layer and the mixture "
      "begin at random");
  app.add_option("--backbone-rate", o.backbone_rate, "factor of the learning rate of the layers that --backbone filled")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--freeze", o.freeze, "patterns of parameters that are not trained, such as 'conv1.*' or 'layer1.*'")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--max-steps", o.max_steps, "stop after this many updates, for a trial (default: no limit)")
      ->check(whole_between(1, 1'000'000'000'000));
  app.add_option("--out", o.out, "folder for weights, checkpoint, metrics.jsonl and report.html")
      ->capture_default_str();
  add_start(app, o);
}

inline void add_weights(CLI::App& app, Options& o) {
  app.add_option("--weights", o.weights,
                 "best.safetensors or last.safetensors of a training run; it holds network, size and class names")
      ->required();
}

}  // namespace classify
