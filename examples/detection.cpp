// Object detection in one program: RetinaNet, plain or with mixtures of experts in its heads, on generated scenes, COCO, or
// pictures of your own whose boxes are written as COCO writes them. `detection --help` lists the commands.
#include "common/commands.hpp"
#include "common/environment.hpp"
#include "common/parse.hpp"
#include "common/run_control.hpp"
#include "detection/command_line.hpp"

#include <moecnn/model/detect.hpp>
#include <moecnn/model/model.hpp>
#include <moecnn/model/summary.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace detection_program {

int check_data(const Options& o) {
  const data::DetectionSet set = load(o, o.split, /*keep_going=*/true);
  const data::DetectionCheck result = data::check_detection(set);
  fmt::print("{}", text(result));
  return result.ok() ? 0 : 1;
}

int info(Options& o) {
  if (o.classes == 0) o.classes = o.dataset == "coco" ? 80 : 5;
  AnyModel model(make_backend(o.backend), {o.batch, 256, 320}, {.seed = o.seed, .task = task::Detect()}, o.net());
  fmt::print("{}\n", summary(model.recorded(), model.training()));
  return 0;
}

constexpr const char* examples = R"(examples:
  detection train --epochs 10 --out out/shapes
  detection train --dataset coco-json --data bccd --epochs 40 --out out/cells
  detection train --dataset coco-json --data bccd --moe 2block --upcycle out/cells/best.safetensors \
    --freeze backbone,fpn --epochs 10 --out out/cells-2block
  detection eval --weights out/cells/best.safetensors --dataset coco-json --data bccd --split test --json out/test.json
  detection predict --weights out/cells/best.safetensors --out out/found cells.jpg
  detection check --dataset coco --data coco --split val
  detection info --backbone resnet50 --moe 2block
  detection study --scale quick --data bccd --out out/study)";

int run(const std::vector<std::string>& words, const std::string& typed) {
  Options o;
  CLI::App app{"Object detection with sparse mixtures of experts", "detection"};
  begin_commands(app, examples);
  CLI::App* train_command = add_command(app, "train", "train a network and write weights and metrics");
  CLI::App* eval_command =
      add_command(app, "eval", "COCO's metric, per class and size, and the use of the experts on each level");
  CLI::App* predict_command =
      add_command(app, "predict", "find objects in single pictures, on a page with their boxes");
  CLI::App* check_command = add_command(app, "check", "decode every picture, look at every box, and list all faults");
  CLI::App* study_command = add_command(app, "study", "the tables of the study, run by run; finished runs are skipped");
  CLI::App* info_command = add_command(app, "info", "layers, parameters, multiply-adds and memory");

  add_network(*train_command, o);
  add_data(*train_command, o);
  add_size(*train_command, o);
  add_training(*train_command, o);

  add_evaluation(*eval_command, o);
  add_data(*eval_command, o);
  eval_command->add_option("--results", o.results, "write the boxes found to this file, as COCO's server reads them");
  eval_command->add_option("--json", o.report_json, "write all figures to this file");
  eval_command->add_flag("--each-expert", o.each_expert,
                         "also evaluate every expert alone in each head, and every number of active experts");

  add_prediction(*predict_command, o);

  add_data(*check_command, o);
  for (CLI::App* c : {eval_command, predict_command, check_command})
    c->add_option("--split", o.split, "train, val or test")
        ->check(one_of({"train", "val", "test"}))
        ->capture_default_str();

  StudyOptions study_options;
  add_study(*study_command, study_options);

  add_network(*info_command, o);
  info_command->add_option("--dataset", o.dataset, "whose classes are meant")
      ->check(one_of({"synthetic", "coco"}))
      ->capture_default_str();
  info_command->add_option("--batch", o.batch, "pictures per batch")->check(between(1, 1024))->capture_default_str();
  for (CLI::App* c : {train_command, eval_command, predict_command, check_command, info_command})
    add_seed_and_machine(*c, o);

  if (const auto status = parse_words(app, words)) return *status;
  if (*train_command || *info_command) check_network(o);
  if (*study_command) {
    study_options.passed_on = study_command->remaining();
    return study(study_options, runs::with_other_words("detection", run));
  }
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  if (*train_command) return train(o, typed);
  if (*eval_command) return evaluate(o);
  if (*predict_command) return predict(o);
  if (*check_command) return check_data(o);
  return info(o);
}

}  // namespace detection_program

int main(int argc, char** argv) try {
  flush_every_line();
  return detection_program::run({argv + 1, argv + argc}, environment::command_line(argc, argv));
} catch (const std::exception& e) {
  fmt::print(stderr, "detection: {}\n", e.what());
  return 1;
}
