#pragma once
/// The part of a report that all programs have, for any kind of run.

#include "environment.hpp"
#include "time_text.hpp"

#include <moecnn/report/history.hpp>
#include <moecnn/train/optimizer.hpp>
#include <moecnn/train/schedule.hpp>
#include <moecnn/train/settings.hpp>

/// The choices that a run was made with.
struct RunChoices {
  moecnn::Settings settings;
  moecnn::AnyOptimizer optimizer;
  moecnn::AnySchedule schedule;
  std::string command;  ///< as it was typed
  std::string backend;
  double clip_norm;  ///< 0: none
  bool augmented;    ///< training images were changed at random
};

/// The command that makes the same run from its start.
inline std::string from_the_start(std::string command) {
  constexpr std::string_view resume = " --resume";
  const auto at = command.find(resume);
  const auto end = at + resume.size();
  if (at != std::string::npos && (end == command.size() || command[end] == ' ')) command.erase(at, resume.size());
  return command;
}

inline void describe_run(moecnn::report::TrainingReport& r, const moecnn::TrainResult& run, const RunChoices& chosen) {
  r.date = environment::date();
  r.version = environment::version();
  r.command = from_the_start(chosen.command);
  r.facts.push_back({"Training", time_text(run.seconds), moecnn::report::grouped(run.step) + " steps"});
  for (const auto& [key, value] : chosen.settings)
    if (key != "backend") r.settings.push_back({key, value});  // it stands with the machine
  r.settings.push_back({"optimiser", moecnn::text_of(chosen.optimizer)});
  r.settings.push_back({"learning rate", moecnn::text_of(chosen.schedule)});
  if (chosen.clip_norm > 0)
    r.settings.push_back({"gradient clipping", moecnn::formatted("norm at most {}", chosen.clip_norm)});
  r.environment = {{"processor", environment::processor()},
                   {"threads", environment::threads()},
                   {"backend", chosen.backend},
                   {"compiler", environment::compiler()}};
  r.curves = moecnn::report::curves_of(run, chosen.schedule);
  r.curves.augmented = chosen.augmented;
  r.warnings = run.warnings;
}
