#pragma once
/// The command line of `segmentation`.

#include "../common/machine_options.hpp"
#include "../common/paths.hpp"
#include "../common/run_control.hpp"
#include "../common/run_options.hpp"
#include "commands.hpp"
#include "options.hpp"

namespace segmentation {

using namespace number_checks;

inline CLI::Validator a_size(const char* option) {
  return accepted_by([option](const std::string& text) {
    check(!text.empty(), "expected HEIGHTxWIDTH with numbers above 0, such as 512x1024, or one for both");
    (void)size_of(text, option);
  });
}

inline void add_network(CLI::App& app, Options& o) {
  app.add_option("--net", o.net, "enet, erfnet, unet, lraspp, deeplabv3plus or pspnet")
      ->check(accepted_by([](const std::string& name) { (void)network(name); }))
      ->capture_default_str();
  app.add_option("--classes", o.classes, "classes that the network tells apart; default: the data set's")
      ->check(whole_between(1, 254));
  app.add_option("--moe", o.moe, "on: a mixture instead of a convolution; off: the plain network")
      ->check(on_or_off())
      ->capture_default_str();
  app.add_option("--grid", o.grid, "patches along each axis, G or ROWSxCOLUMNS; 1 = one decision per image")
      ->check(a_size("the grid"))
      ->capture_default_str();
  app.add_option("--patch", o.patch, "size of a patch in pixels of the map, HEIGHTxWIDTH, instead of --grid")
      ->check(a_size("the patch"));
  app.add_option("--experts", o.experts, "experts N in the mixture")
      ->check(whole_between(1, 1024))
      ->capture_default_str();
  app.add_option("--k", o.k, "experts per patch; with `eval` any other number than in training will do")
      ->check(whole_between(1, 1024))
      ->capture_default_str();
  app.add_option("--gate", o.gate,
                 "gap, conv-gap, 2conv-gap, 3conv-gap, random, deterministic, single-entry, conv, relu-gap")
      ->check(accepted_by([](const std::string& name) { (void)gate::by_name(name); }))
      ->capture_default_str();
  app.add_option("--balance", o.balance, fmt::format("the balance loss: {}", balance::names))
      ->check(accepted_by([](const std::string& name) { (void)balance::by_name(name); }))
      ->capture_default_str();
  app.add_option("--balance-weight", o.balance_weight, "factor of the balance loss; 0.5 in the CIFAR study")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--balance-scores", o.scores, "dense or sparse: the weights that --balance importance sums up")
      ->check(one_of({"dense", "sparse"}))
      ->capture_default_str();
  app.add_option("--renormalise", o.renormalise,
                 "weights of the chosen experts sum to 1 (with k = 1: straight-through)")
      ->check(on_or_off())
      ->capture_default_str();
  app.add_option("--shared", o.shared, "on: one more expert that sees every patch")
      ->check(on_or_off())
      ->capture_default_str();
  app.add_option("--skip", o.skip, "on: the mixture's input is added to its result")
      ->check(on_or_off())
      ->capture_default_str();
  app.add_option("--gate-noise", o.learned_noise, "on: learned noise on the gate's logits in training")
      ->check(on_or_off())
      ->capture_default_str();
  app.add_option("--placement", o.placement, "encoder-last, decoder-first or decoder-last")
      ->check(accepted_by([](const std::string& name) { (void)placement_by_name(name); }))
      ->capture_default_str();
  app.add_option("--layers", o.layers, "convolutions that become mixtures, 1 to 3")
      ->check(whole_between(1, 3))
      ->capture_default_str();
  app.add_option("--mix", o.mix, "on: k linear experts at the price of one convolution, where that pays")
      ->check(on_or_off())
      ->capture_default_str();
  app.add_option("--aux", o.aux, "weight of PSPNet's second loss; 0: no such head")
      ->check(at_least(0))
      ->capture_default_str();
  add_machine(app, o, "of initial weights, order, augmentation, noise, scenes");
}

inline void add_data(CLI::App& app, Options& o) {
  app.add_option("--dataset", o.dataset, "cityscapes, bdd100k, camvid, or synthetic: generated street scenes")
      ->check(one_of({"cityscapes", "bdd100k", "camvid", "synthetic"}))
      ->capture_default_str();
  app.add_option("--data", o.data, "folder of the data set; docs/data.md shows the files expected in it");
  app.add_option("--size", o.size, "size to which pictures are resized first, HEIGHTxWIDTH; default: as they are")
      ->check(a_size("the size"));
  app.add_option("--images", o.images, "training scenes to generate, with --dataset synthetic")
      ->check(whole_between(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--limit", o.limit, "use only the first N pairs of each split; default: all")
      ->check(whole_between(1, 1'000'000'000));
  app.add_option("--overfit", o.overfit, "train and test on the same N pairs, without augmentation")
      ->check(whole_between(1, 1'000'000));
  app.add_option("--max-megapixels", o.most_megapixels, "larger pictures are refused, to limit memory")
      ->check(above(0))
      ->capture_default_str();
  app.add_option("--loader-threads", o.loader_threads, "threads that prepare batches")
      ->check(whole_between(0, 64))
      ->capture_default_str();
  app.add_option("--cache-mb", o.cache_mb, "memory for pictures that stay decoded")
      ->check(whole_between(0, 1'000'000))
      ->capture_default_str();
}

/// Options that the memory of a training step depends on, besides the network.
inline void add_step(CLI::App& app, Options& o) {
  app.add_option("--crop", o.crop,
                 "size of training crops, HEIGHTxWIDTH; default: cityscapes 768x768, bdd100k 720x720, camvid 360x480")
      ->check(a_size("the crop"));
  app.add_option("--batch", o.batch, "images per batch")->check(whole_between(1, 65536))->capture_default_str();
  app.add_option("--rebuild", o.rebuild,
                 "never, cheap or always: values that are made again for the backward pass, which saves memory and "
                 "changes no result")
      ->check(one_of({"never", "cheap", "always"}))
      ->capture_default_str();
}

inline void add_training(CLI::App& app, Options& o) {
  add_step(app, o);
  app.add_option("--epochs", o.epochs, "passes over the data")
      ->check(whole_between(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--optimizer", o.optimizer, "sgd, adam or adamw")
      ->check(one_of({"sgd", "adam", "adamw"}))
      ->capture_default_str();
  app.add_option("--lr", o.lr, "learning rate at the start; default 2e-2, adam 5e-4")->check(above(0));
  app.add_option("--schedule", o.schedule, "constant, poly, cosine or steps")
      ->check(one_of({"constant", "poly", "cosine", "steps"}))
      ->capture_default_str();
  app.add_option("--power", o.power, "exponent of --schedule poly")->check(above(0))->capture_default_str();
  app.add_option("--warm-up", o.warm_up, "epochs in which the rate rises linearly, with every schedule; 0: none")
      ->check(at_least(0));
  app.add_option("--lr-steps", o.lr_steps, "with --schedule steps: epochs after which the rate falls to a tenth")
      ->delimiter(',')
      ->check(whole_between(1, 1'000'000));
  app.add_option("--momentum", o.momentum, "of sgd")->check(from_to_below(0, 1))->capture_default_str();
  app.add_option("--nesterov", o.nesterov, "on: Nesterov momentum, with sgd")
      ->check(on_or_off())
      ->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay)->check(at_least(0))->capture_default_str();
  app.add_option("--clip", o.clip, "largest global norm of the gradients; 0: no clipping")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--class-weights", o.class_weights, "none, or rare: 1 / ln(1.02 + share of the pixels)")
      ->check(one_of({"none", "rare"}))
      ->capture_default_str();
  app.add_flag("!--no-augment", o.augment, "whole pictures, resized to the crop; no scaling, flips and colour jitter");
  app.add_option("--min-scale", o.min_scale, "smallest random scale")->check(above(0))->capture_default_str();
  app.add_option("--max-scale", o.max_scale, "largest random scale")->check(above(0))->capture_default_str();
  app.add_option("--jitter", o.jitter, "brightness, contrast and saturation")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--max-steps", o.max_steps, "stop after N steps; 0: no limit")
      ->check(whole_between(0, 1'000'000'000'000));
  app.add_option("--checkpoint-steps", o.checkpoint_steps,
                 "write a checkpoint every N steps, besides every epoch and five minutes; 0: not besides these")
      ->check(whole_between(0, 1'000'000'000));
  app.add_option("--log-steps", o.log_steps, "steps per line of metrics.jsonl")
      ->check(whole_between(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--eval-every", o.eval_every, "epochs between tests on the split val; 0: never")
      ->check(whole_between(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--init", o.init, "start from these weights of the whole network (safetensors)");
  app.add_option("--backbone", o.backbone,
                 "start the encoder from ImageNet weights: torchvision's resnet50 or "
                 "mobilenet_v3_large as safetensors");
  app.add_option("--out", o.out, "folder for weights, checkpoint, metrics.jsonl and report.html")
      ->capture_default_str();
  app.add_flag("!--no-report", o.report, "no report.html");
  add_start(app, o);
}

inline void add_eval_batch(CLI::App& app, Options& o) {
  app.add_option("--eval-batch", o.eval_batch, "images per batch of a test")
      ->check(whole_between(1, 65536))
      ->capture_default_str();
}

inline void add_expert(CLI::App& app, Options& o) {
  app.add_option("--expert", o.fixed_expert, "only this expert, from 0, serves every patch")
      ->check(whole_between(0, 1023));
}

inline void add_split(CLI::App& app, Options& o, const char* text) {
  app.add_option("--split", o.split, text)->check(one_of({"train", "val", "test"}));
}

inline void add_weights(CLI::App& app, Options& o) {
  app.add_option("--weights", o.weights,
                 "best.safetensors or last.safetensors of a training run; it holds the options of its network and data")
      ->required();
  app.add_option("--crop", o.crop, "the size that --no-augment or --overfit trained on")->check(a_size("the crop"));
}

inline void add_study(CLI::App& app, StudyOptions& o) {
  runs::add_study_options(app, o,
                          {.scale = "quick: CamVid on a desktop; paper: the whole protocol; smoke: generated scenes",
                           .data = "folder of CamVid (quick) or Cityscapes (paper)",
                           .only = "experiments to run, such as E2,E3",
                           .seeds = "runs per configuration, with seeds 42, 43, …; default: 1, with paper 3",
                           .out = "folder of the runs and tables",
                           .list = "only say what would be run",
                           .example = "--epochs 10 --batch 4 --threads 2"});
  app.add_option("--bdd100k", o.bdd, "folder of BDD100K, with --scale paper");
  app.add_option("--net", o.net, "the network of E2 to E10")
      ->check(accepted_by([](const std::string& name) { (void)network(name); }))
      ->capture_default_str();
}

/// Takes over the options in the weights, except those that were typed. `train` knows their limits.
inline void take_saved_options(const CLI::App& command, CLI::App& train, Options& o) {
  if (o.weights.empty()) return;
  const auto typed = [&](const std::string& name) {
    const CLI::Option* option = command.get_option_no_throw("--" + name);
    return option && option->count() > 0;
  };
  check_input("--weights", o.weights);
  run_options::apply(run_options::load(o.weights, lasting_options(o)), o.weights, train, typed);
}

}  // namespace segmentation
