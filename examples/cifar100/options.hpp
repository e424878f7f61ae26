#pragma once
/// The command line of `cifar100`: what can be chosen, and what the choices mean.

#include "../common/machine_options.hpp"
#include "../common/optimizer.hpp"
#include "../common/run_control.hpp"
#include "../common/with_backend.hpp"

#include <moecnn/moecnn.hpp>
#include <moecnn/zoo/cifar_moe.hpp>

namespace cifar {

using namespace moecnn;

struct Options {
  // network
  int position = 4, experts = 4, k = 2;
  std::string gate = "gap", constraint = "importance";
  double strength = 0;  ///< of `constraint`, which is a balance loss (soft) or a hard constraint; 0: the study's
  // data
  std::string data = "synthetic";
  int images = 10000;  ///< of the synthetic training set
  bool augment = true, shuffle = true, noise = true;
  // training
  std::string optimizer = "adam", schedule = "auto";
  double lr = 0, momentum = 0.9, weight_decay = 0, clip = 0;
  bool nesterov = false, resume = false, overwrite = false;
  int epochs = 0, batch = 128;
  long long max_steps = 0;
  int checkpoint_steps = 0;
  std::uint64_t seed = 42;
  std::string init, out = "out/cifar100";
  // where
  std::string backend = "auto";
  int threads = 0, loader_threads = 1;
  // evaluation
  std::string weights, dump;
  int eval_k = 0, fixed_expert = -1;
  bool equal_weights = false;

  bool soft() const { return constraint == "importance" || constraint == "kl"; }
  bool hard() const { return constraint == "relative" || constraint == "mean"; }

  /// Weight of the balance loss or limit of the hard constraint: what was given, or the study's.
  double strength_used() const {
    if (strength > 0) return strength;
    return constraint == "importance" ? balance::Importance{}.weight
           : constraint == "kl"       ? balance::KlDivergence{}.weight
           : constraint == "relative" ? constraint::RelativeImportance{}.limit
                                      : constraint::MeanImportance{}.limit;
  }
  /// In words; empty where there is none.
  std::string balance_text() const {
    return soft() ? fmt::format("{}, weight {}", constraint, strength_used()) : std::string();
  }
  std::string constraint_text() const {
    return hard() ? fmt::format("{} importance, limit {}", constraint, strength_used()) : std::string();
  }

  CifarMoENet net() const {
    CifarMoENet n;
    n.position = position;
    n.experts = experts;
    n.k = k;
    n.gate = gate::by_name(gate);
    if (soft()) n.balance = balance::by_name(constraint, strength_used());
    if (hard()) n.constraint = constraint::by_name(constraint, strength_used());
    return n;
  }

  /// In words: "4 experts, 2 per image, in the place of layer4".
  std::string net_text() const {
    if (position == 0) return "plain ResNet-18";
    return fmt::format("ResNet-18 with {} experts, {} per image, in the place of layer{}", experts, k, position);
  }
};

/// What may be asked of the network; shared by all commands.
inline void add_network(CLI::App& app, Options& o) {
  app.add_option("--position", o.position, "stage replaced by the mixture, 1 to 4; 0 = plain ResNet-18")
      ->check(CLI::Range(0, 4))
      ->capture_default_str();
  app.add_option("--experts", o.experts, "experts N in the mixture")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--k", o.k, "experts per image")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--gate", o.gate, "gap: pooling and a linear layer; conv: a convolution before it")
      ->check(CLI::IsMember({"gap", "conv", "relu-gap"}))
      ->capture_default_str();
  app.add_option("--constraint", o.constraint,
                 "how use is kept even: none; a balance loss: importance, kl; a hard constraint: relative, mean, which "
                 "bars experts that are used too much")
      ->check(CLI::IsMember({"none", "importance", "kl", "relative", "mean"}))
      ->capture_default_str();
  app.add_option(
      "--strength", o.strength,
      fmt::format("weight of the balance loss (default {}) or limit of the hard constraint (relative {}, mean "
                  "{})",
                  balance::Importance{}.weight, constraint::RelativeImportance{}.limit,
                  constraint::MeanImportance{}.limit));
  add_machine(app, o, "of initial weights, order, augmentation, noise");
}

inline void add_data(CLI::App& app, Options& o) {
  app.add_option("--data", o.data,
                 "folder with train.bin and test.bin of CIFAR-100 (binary version), or synthetic: generated images")
      ->capture_default_str();
  app.add_option("--images", o.images, "training images to generate, with --data synthetic")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  app.add_option("--batch", o.batch, "images per batch")->capture_default_str();
}

inline void add_training(CLI::App& app, Options& o) {
  app.add_option("--epochs", o.epochs, "passes over the data; 150 in the study (default 5)");
  app.add_option("--optimizer", o.optimizer, "adam, adamw or sgd")
      ->check(CLI::IsMember({"adam", "adamw", "sgd"}))
      ->capture_default_str();
  app.add_option("--lr", o.lr, "learning rate at the start; default 1e-3, sgd 0.1");
  app.add_option("--schedule", o.schedule,
                 "auto: the study's, without its warm-up where --lr is given; or constant, cosine, poly")
      ->check(CLI::IsMember({"auto", "constant", "cosine", "poly"}))
      ->capture_default_str();
  app.add_option("--momentum", o.momentum, "of sgd")->capture_default_str();
  app.add_flag("--nesterov", o.nesterov, "Nesterov momentum, with sgd");
  app.add_option("--weight-decay", o.weight_decay)->capture_default_str();
  app.add_option("--clip", o.clip, "largest global norm of the gradients; 0: no clipping")->capture_default_str();
  app.add_option("--max-steps", o.max_steps, "stop after so many steps; 0: no limit")->check(CLI::NonNegativeNumber);
  app.add_option("--checkpoint-steps", o.checkpoint_steps,
                 "write a checkpoint every so many steps, besides every epoch");
  app.add_flag("!--no-augment", o.augment, "no flips, crops and colour jitter");
  app.add_flag("!--no-shuffle", o.shuffle, "images in file order");
  app.add_flag("!--no-noise", o.noise, "no noise in the gate");
  app.add_option("--init", o.init, "start from these weights (safetensors, torchvision's names)");
  app.add_option("--out", o.out, "folder for weights, checkpoint, metrics.jsonl and report.html")
      ->capture_default_str();
  add_start(app, o);
  app.add_option("--loader-threads", o.loader_threads, "threads that make batches ready")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
}

inline double base_rate(const Options& o) { return o.lr > 0 ? o.lr : o.optimizer == "sgd" ? 0.1 : 1e-3; }

/// The study's schedules are written for 150 epochs and a rate of 1e-3; both are scaled to what was asked for.
inline AnySchedule schedule_of(const Options& o) {
  const double lr = base_rate(o), scale = lr / 1e-3;
  if (o.schedule == "constant") return schedule::Constant{.rate = lr};
  if (o.schedule == "cosine") return schedule::Cosine{.base = lr, .epochs = o.epochs};
  if (o.schedule == "poly") return schedule::Poly{.base = lr, .epochs = o.epochs};
  // relu-gap is what the study's convolutional gate computed, so it is trained as that one was.
  const bool convolutional = o.gate == "conv" || o.gate == "relu-gap";
  auto steps = o.position == 0 ? schedule::cifar_baseline(scale, o.epochs)
               : o.hard()      ? schedule::cifar_hard(scale, o.epochs)
               : convolutional ? schedule::cifar_conv_soft(scale, o.epochs)
                               : schedule::cifar_soft(scale, o.epochs);
  if (o.lr > 0) steps.warm_up = {};  // who names a rate means it from the first step on
  return steps;
}

/// Everything that shapes the result, as it was used and without what does not apply: stored in the checkpoint, compared
/// on --resume, and shown in the report.
inline Settings settings_of(const Options& o) {
  Settings all{{"network", o.net_text()}};
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  if (o.position > 0) {
    add("gate", o.gate);
    if (!o.hard()) add("balance loss", o.soft() ? o.balance_text() : "none");
    if (o.hard()) add("hard constraint", o.constraint_text());
    add("noise on the gate", o.noise && !o.hard() && o.experts > 1 ? "learned" : "none");
  }
  add("data", o.data == "synthetic" ? fmt::format("synthetic, {} images", o.images) : o.data);
  add("epochs", fmt::format("{}", o.epochs));
  add("batch", fmt::format("{}", o.batch));
  add("augmentation", o.augment ? "flips, crops and colour jitter" : "none");
  add("order of images", o.shuffle ? "shuffled every epoch" : "as in the file");
  add("seed", fmt::format("{}", o.seed));
  add("initial weights", o.init.empty() ? "random" : o.init);
  add("backend", backend_name(o.backend));
  return all;
}

inline data::ImageSet load(const Options& o, data::Split split) {
  if (o.data == "synthetic")
    return data::synthetic(split == data::Split::train ? o.images : std::max(1, o.images / 5), o.seed, split);
  return data::load_cifar100(o.data, split);
}

}  // namespace cifar
