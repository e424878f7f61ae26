#pragma once
/// The command line of `detection`.

#include "../common/machine_options.hpp"
#include "../common/number_checks.hpp"
#include "../common/run_control.hpp"
#include "commands.hpp"

namespace detection_program {

using number_checks::above, number_checks::at_least, number_checks::between, number_checks::one_of,
    number_checks::whole_between;

inline void add_network(CLI::App& app, Options& o) {
  app.add_option("--backbone", o.backbone, "resnet18 or resnet50")
      ->check(one_of({"resnet18", "resnet50"}))
      ->capture_default_str();
  app.add_option(
         "--moe", o.moe,
         "mixture in the heads: none; 2block, experts are whole heads with a gate for each head; single, with one "
         "gate for both; conv4, the fourth convolution of each head")
      ->check(one_of({"none", "2block", "single", "conv4"}))
      ->capture_default_str();
  app.add_option("--experts", o.experts, "experts N of a mixture")->check(between(1, 64))->capture_default_str();
  app.add_option("--k", o.k, "experts per image and level")->check(between(1, 64))->capture_default_str();
  app.add_option("--gate", o.gate,
                 "conv: a convolution, pooling and a linear layer; gap: without the convolution; relu-gap")
      ->check(one_of({"conv", "gap", "relu-gap"}))
      ->capture_default_str();
  app.add_option("--constraint", o.constraint,
                 "how use is kept even: none; a balance loss: importance, kl; a hard constraint: relative, mean")
      ->check(one_of({"none", "importance", "kl", "relative", "mean"}))
      ->capture_default_str();
  app.add_option("--strength", o.strength, "weight of the balance loss (default 0.25) or limit of the constraint (0.3)")
      ->check(at_least(0));
}

inline void check_network(const Options& o) {
  if (!o.has_mixture()) return;
  check(o.k <= o.experts, "--k is {}, but --experts is {}; choose k from 1 to {}", o.k, o.experts, o.experts);
  check(o.k > 1 || o.experts == 1,
        "--k is 1: the weight of the one chosen expert is always 1, and the gate of {} experts would learn nothing "
        "from it; "
        "train with --k 2 or more",
        o.experts);
}

inline void add_size(CLI::App& app, Options& o) {
  app.add_option("--size", o.size, "pixels of the shorter side of pictures (default: coco 608, else as they are)")
      ->check(whole_between(0, 16384));
  app.add_option("--max-size", o.max_size, "limit of the longer side in pixels (default: coco 1024, else none)")
      ->check(whole_between(0, 16384));
}

/// Where pictures come from.
inline void add_source(CLI::App& app, Options& o) {
  app.add_option(
         "--dataset", o.dataset,
         "synthetic: generated scenes; coco: annotations/instances_SPLIT2017.json and SPLIT2017/*.jpg; coco-json: "
         "annotations/instances_SPLIT.json and images/*")
      ->check(one_of({"synthetic", "coco", "coco-json"}))
      ->capture_default_str();
  app.add_option("--data", o.data, "folder of the data set");
  app.add_option("--images", o.images, "scenes to generate for training; a quarter of it for the test")
      ->check(between(1, 1'000'000))
      ->capture_default_str();
}

inline void add_data(CLI::App& app, Options& o) {
  add_source(app, o);
  app.add_option("--batch", o.batch, "pictures per batch")->check(between(1, 1024))->capture_default_str();
  app.add_option("--shapes", o.shapes, "largest number of sizes that batches have; each size has a program of its own")
      ->check(between(1, 64))
      ->capture_default_str();
  app.add_option("--loader-threads", o.loader_threads, "threads that prepare batches; 0: the training thread does it")
      ->check(between(0, 64))
      ->capture_default_str();
  app.add_option("--cache-mb", o.cache_mb, "memory for decoded pictures")
      ->check(between(0, 1 << 20))
      ->capture_default_str();
}

inline void add_training(CLI::App& app, Options& o) {
  app.add_option("--epochs", o.epochs, "passes over the data")->check(between(1, 1'000'000))->capture_default_str();
  add_optimizer(app, o);
  app.add_option("--lr", o.lr, "learning rate at the start; 1e-5 in the study")->check(above(0))->capture_default_str();
  app.add_option("--schedule", o.schedule, "steps, cosine or constant")
      ->check(one_of({"steps", "cosine", "constant"}))
      ->capture_default_str();
  app.add_option("--lr-steps", o.lr_steps, "with steps: epochs, counted from 1, after which the rate falls to a tenth")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--warm-up", o.warm_up, "epochs in which the rate rises linearly")->check(above(0));
  app.add_option("--weight-decay", o.weight_decay, "as the optimiser defines it")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--clip", o.clip, "largest global norm of the gradients; 0: no clipping")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--max-steps", o.max_steps, "stop after this many steps, for a trial")
      ->check(between(1, 1'000'000'000'000));
  app.add_option("--test-epochs", o.test_epochs, "test after every N epochs and the last")
      ->check(between(1, 1'000'000))
      ->capture_default_str();
  app.add_flag("!--no-augment", o.augment, "no flips");
  app.add_flag("!--no-noise", o.noise, "no noise in the gate");
  app.add_option("--overfit", o.overfit, "train and test on the first N pictures")->check(between(1, 1'000'000));
  app.add_option("--freeze", o.freeze, "backbone, fpn, norms, or patterns of parameter names such as 'layer1.*'")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--init", o.init, "start from these weights of the same network");
  app.add_option("--backbone-weights", o.backbone_weights,
                 "start the backbone from these (safetensors, torchvision's names)");
  app.add_option("--base-weights", o.base_weights, "start backbone and pyramid from those of a trained detector");
  app.add_option("--upcycle", o.upcycle, "make the experts of the plain heads in these weights, and the rest, too");
  app.add_option("--upcycle-noise", o.upcycle_noise, "deviation of the noise that makes experts differ")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_flag("--relative-noise", o.relative_noise, "that noise is a share of the deviation of each tensor's numbers");
  app.add_option("--out", o.out, "folder for weights, checkpoint and metrics.jsonl")->capture_default_str();
  add_start(app, o);
}

inline void add_evaluation(CLI::App& app, Options& o) {
  app.add_option("--weights", o.weights, "a file that training has written; it holds the options of its network")
      ->required();
  CLI::Option* k =
      app.add_option("--k", o.eval_k, "experts per image and level (default: as in training)")->check(between(1, 64));
  CLI::Option* fixed =
      app.add_option("--fixed-expert", o.fixed_expert, "only this expert of each mixture, counted from 0")
          ->check(between(0, 63));
  app.add_option("--fixed-in", o.fixed_in, "only in this head: regressor or classifier (default: in both)")
      ->check(one_of({"regressor", "classifier"}))
      ->needs(fixed);
  app.add_flag("--equal-weights", o.equal_weights, "all experts run, with equal weight")->excludes(k)->excludes(fixed);
  fixed->excludes(k);
}

inline void add_prediction(CLI::App& app, Options& o) {
  add_evaluation(app, o);
  app.add_flag("--each-expert", o.each_expert,
               "also show the boxes of every expert alone in each head, beside those of the mixture")
      ->excludes("--fixed-expert")
      ->excludes("--equal-weights");
  app.add_option("--least-score", o.least_score, "boxes with lower scores are not shown")
      ->check(between(0, 1))
      ->capture_default_str();
  app.add_option("--out", o.out, "folder of predictions.html")->capture_default_str();
  app.add_option("--json", o.report_json, "write boxes, levels, experts and the page's figures to this file");
  app.add_option("pictures", o.pictures, "PNG or JPEG files")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--first", o.first, "look at the first N pictures of a data set instead of files")
      ->check(whole_between(1, 10'000));
  add_source(app, o);
}

inline void add_study(CLI::App& app, StudyOptions& o) {
  runs::add_study_options(
      app, o,
      {.scale = "quick: BCCD's blood cells, half a day of two cores; paper: COCO 2017; smoke: a trial",
       .data = "folder of BCCD (quick) or COCO 2017 (paper)",
       .only = "experiments: T5, T6, T7, T8, X",
       .seeds = "runs per configuration, with seeds 42, 43, … (default: 1)",
       .out = "folder of the runs, tables and study.html",
       .list = "only say what would be run",
       .example = "--epochs 10 --threads 2"});
  app.add_option("--backbone-weights", o.backbone_weights, "start the plain network's backbone from these");
}

inline void add_seed_and_machine(CLI::App& app, Options& o) {
  add_machine(app, o, "of initial weights, order, flips, noise and generated scenes");
}

}  // namespace detection_program
