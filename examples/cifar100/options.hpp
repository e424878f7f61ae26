#pragma once
/// The options of the program and their meaning. command_line.hpp adds them to the command line.

#include "../common/machine.hpp"
#include "../common/network_options.hpp"
#include "../common/optimizer.hpp"

#include <moecnn/data/split_set.hpp>

#include <cstring>

namespace cifar {

using namespace moecnn;

struct Options : NetworkOptions, ExpertChoice, MachineOptions {
  // data
  std::string data = "synthetic";
  int images = 10000;  ///< of the synthetic training set
  double val = 0;      ///< share of the training images that is cut off for validation
  bool augment = true, shuffle = true;
  // training
  std::string optimizer = "adam", schedule = "auto";
  std::optional<double> lr;  ///< none: base_rate()'s
  double momentum = 0.9, weight_decay = 0;
  double warm_up = 0;          ///< epochs
  std::optional<double> clip;  ///< none: no clipping
  bool nesterov = false, resume = false, overwrite = false;
  int epochs = 5, batch = 128;
  std::optional<long long> max_steps;   ///< none: no limit
  std::optional<int> checkpoint_steps;  ///< none: after epochs and every few minutes only
  std::string init, out = "out/cifar100";
  // loading
  int loader_threads = 1;
  // evaluation
  std::string weights, dump, json, split = "test";

  /// The images that training is tested on.
  const char* tested() const { return val > 0 ? "validation" : "test"; }
};

inline double base_rate(const Options& o) { return o.lr.value_or(o.optimizer == "sgd" ? 0.1 : 1e-3); }

/// The study's schedules are written for 150 epochs and a rate of 1e-3; both are scaled to what was asked for. They belong
/// to gate and constraint: relu-gap is what the study's convolutional gate computed, so it is trained as that one was.
inline AnySchedule schedule_of(const Options& o) {
  const double lr = base_rate(o), scale = lr / 1e-3;
  if (o.schedule == "constant") return warmed_up(schedule::Constant{.rate = lr}, o.warm_up);
  if (o.schedule == "cosine") return schedule::Cosine{.base = lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  if (o.schedule == "poly") return schedule::Poly{.base = lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  const bool convolutional = o.gate == "conv" || o.gate == "relu-gap";
  auto steps = o.position == 0 ? schedule::cifar_baseline(scale, o.epochs)
               : o.hard()      ? schedule::cifar_hard(scale, o.epochs)
               : convolutional ? schedule::cifar_conv_soft(scale, o.epochs)
                               : schedule::cifar_soft(scale, o.epochs);
  if (o.lr || o.warm_up > 0) steps.warm_up = {};  // a given rate holds from the first step on
  return warmed_up(steps, o.warm_up);
}

/// Options of the network and of generated images, by their names on the command line: `train` writes them into the
/// weights, and `eval` takes them from there. A folder of images is not among them: a file that came from elsewhere must
/// not say what is read.
inline Settings lasting_options(const Options& o) {
  Settings all = lasting_network(o);
  all.insert(all.end(), {{"data", o.data == "synthetic" ? o.data : ""},
                         {"images", formatted("{}", o.images)},
                         {"val", o.val > 0 ? formatted("{}", o.val) : ""},
                         {"seed", formatted("{}", o.seed)}});
  return all;
}

/// Number of images and a hash of all bytes and labels: the same wherever the data lie.
inline std::string signature(const data::ImageSet& set) {
  std::uint64_t h = 0xcbf29ce484222325;  // FNV-1a, eight bytes at a time
  const auto add = [&h](const void* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, static_cast<const char*>(from) + i, std::min<std::size_t>(8, bytes - i));
      h = (h ^ word) * 0x100000001b3;
      h ^= h >> 32;
    }
  };
  add(set.pixels.data(), set.pixels.size());
  add(set.labels.data(), set.labels.size() * sizeof(int));
  return fmt::format("{}, {} images, contents {:016x}", set.name, set.n, h);
}

/// Everything that shapes the result, for the report.
inline Settings settings_of(const Options& o) {
  Settings all = network_settings(o);
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  add("data", o.data == "synthetic" ? fmt::format("synthetic, {} images", o.images) : o.data);
  if (o.val > 0) add("validation", fmt::format("{:g} % of the training images, instead of the test set", 100 * o.val));
  add("epochs", fmt::format("{}", o.epochs));
  add("batch", fmt::format("{}", o.batch));
  add("augmentation", o.augment ? "flips, crops and colour jitter" : "none");
  add("order of images", o.shuffle ? "shuffled every epoch" : "as in the file");
  add("seed", fmt::format("{}", o.seed));
  add("initial weights", o.init.empty() ? "random" : o.init);
  add("backend", o.backend_text());
  return all;
}

/// The settings by which --resume recognises its run, stored in the checkpoint. The trainer adds batch size, order, augmentation,
/// optimiser and clipping.
inline Settings fixed_settings(const Options& o, const data::ImageSet& train_set) {
  Settings all = network_settings(o);
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  add("data", signature(train_set));
  add("schedule", formatted("{} from {}{}", o.schedule, base_rate(o),
                            o.warm_up > 0 ? formatted(", warm-up of {} epochs", o.warm_up)
                            : o.lr        ? ", no warm-up"
                                          : ""));
  add("seed", formatted("{}", o.seed));
  add("backend", o.backend_text());
  return all;
}

inline data::ImageSet load(const Options& o, data::Split split) {
  if (o.data == "synthetic")
    return data::synthetic(split == data::Split::train ? o.images : std::max(1, o.images / 5), o.seed, split);
  return data::load_cifar100(o.data, split);
}

/// The images to train on, and those to test on: with --val, a part of the training images, so that nothing is chosen on
/// test images. The part depends on the share alone.
inline data::Parts load_parts(const Options& o) {
  data::ImageSet train = load(o, data::Split::train);
  if (o.val > 0) return data::split_off(train, o.val);
  return {std::move(train), load(o, data::Split::test)};
}

/// The images that `eval` looks at.
inline data::ImageSet load_split(const Options& o) {
  if (o.split == "test") return load(o, data::Split::test);
  if (o.split == "train" && o.val == 0) return load(o, data::Split::train);
  check(o.val > 0, "--split is val, but training cut no validation images off; give their share with --val");
  data::Parts parts = load_parts(o);
  return o.split == "val" ? std::move(parts.validation) : std::move(parts.train);
}

}  // namespace cifar
