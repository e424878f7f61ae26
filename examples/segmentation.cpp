// The segmentation study in one program: six networks with a mixture of experts instead of a convolution, on street
// scenes. `segmentation --help` lists the commands.
#include "common/commands.hpp"
#include "common/environment.hpp"
#include "common/run_control.hpp"
#include "segmentation/command_line.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace segmentation {

constexpr const char* examples = R"(examples:
  segmentation train --dataset synthetic --crop 96x128 --epochs 3 --lr 0.01 --out out/streets
  segmentation train --net enet --dataset camvid --data CamVid --epochs 100 --out out/enet
  segmentation train --net enet --dataset camvid --data CamVid --epochs 100 --out out/enet --resume
  segmentation train --net enet --moe off --dataset camvid --data CamVid --overfit 1 --epochs 300 --out out/one
  segmentation eval --weights out/enet/best.safetensors --data CamVid --split test --json out/enet/test.json
  segmentation predict --weights out/enet/best.safetensors --out out/pictures street.png
  segmentation check --dataset cityscapes --data cityscapes
  segmentation info --net deeplabv3plus --experts 8
  segmentation study --scale quick --data CamVid --out out/study --only E2,E3)";

int run(const std::vector<std::string>& words, const std::string& typed) {
  Options o;
  o.command = typed;
  CLI::App app{"Semantic segmentation of street scenes with sparse mixtures of experts", "segmentation"};
  begin_commands(app, examples);
  CLI::App* train_command = add_command(app, "train", "train a network and write weights and metrics");
  CLI::App* eval_command =
      add_command(app, "eval", "mIoU, a table of classes and the use of the experts, of trained weights");
  CLI::App* predict_command =
      add_command(app, "predict", "colour pictures by class, and show the experts of each patch");
  CLI::App* check_command = add_command(app, "check", "decode every file of a data set and list all faults");
  CLI::App* study_command =
      add_command(app, "study", "the experiments of the study, one after the other; finished runs are skipped");
  CLI::App* info_command = add_command(app, "info", "layers, parameters, multiply-adds and memory");

  add_network(*train_command, o);
  add_data(*train_command, o);
  add_training(*train_command, o);
  add_eval_batch(*train_command, o);

  add_network(*eval_command, o);
  add_data(*eval_command, o);
  add_weights(*eval_command, o);
  add_eval_batch(*eval_command, o);
  eval_command->add_flag("!--no-augment", o.augment, "as in training");
  add_split(*eval_command, o, "train, val or test; default: val");
  add_expert(*eval_command, o);
  eval_command->add_flag("--equal-weights", o.equal_weights, "all experts run, with equal weight");
  eval_command->add_option("--json", o.json, "write all figures to this file");
  eval_command->add_option("--dump", o.dump, "write predicted classes and gate weights, in file order, to this file");

  add_network(*predict_command, o);
  add_data(*predict_command, o);
  add_weights(*predict_command, o);
  predict_command->add_option("--out", o.out, "folder for the pictures")->capture_default_str();
  add_expert(*predict_command, o);
  predict_command->add_option("pictures", o.pictures, "PNG or JPEG files")->required()->take_all();

  add_data(*check_command, o);
  check_command->add_option("--classes", o.classes, "of generated scenes")->check(whole_between(1, 254));
  add_split(*check_command, o, "train, val or test; default: all that are there");
  check_command->add_option("--seed", o.seed, "of generated scenes")->check(whole_between(0, 1'000'000'000'000'000));

  StudyOptions study_options;
  add_study(*study_command, study_options);

  add_network(*info_command, o);
  info_command->add_option("--dataset", o.dataset, "whose classes and crop are meant")
      ->check(one_of({"cityscapes", "bdd100k", "camvid", "synthetic"}))
      ->capture_default_str();
  info_command->add_option("--size", o.size, "of generated scenes")->check(a_size("the size"));
  add_step(*info_command, o);

  try {
    ::check_command(app, words);
    if (words[0] == check_command->get_name()) o.split.clear();
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // from the last on, as CLI11 wants them
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  for (CLI::App* uses_weights : {eval_command, predict_command})
    if (*uses_weights) take_saved_options(*uses_weights, *train_command, o);
  if (*study_command) {
    study_options.passed_on = study_command->remaining();
    return study(study_options, runs::with_other_words("segmentation", run));
  }
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  if (*train_command) return train(o);
  if (*eval_command) return evaluate(o);
  if (*predict_command) return predict(o);
  if (*check_command) return check_data(o);
  return info(o);
}

}  // namespace segmentation

int main(int argc, char** argv) try {
  flush_every_line();
  return segmentation::run({argv + 1, argv + argc}, environment::command_line(argc, argv));
} catch (const std::exception& e) {
  fmt::print(stderr, "segmentation: {}\n", e.what());
  return 1;
}
