#pragma once
/// What the reports of all programs say about a run, whatever it trained.

#include "environment.hpp"

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
  const char* backend;
  int threads;
};

inline void describe_run(moecnn::report::TrainingReport& r, const moecnn::TrainResult& run, const RunChoices& chosen) {
  r.date = environment::date();
  r.version = environment::version();
  r.command = chosen.command;
  r.facts.push_back(
      {"training", moecnn::formatted("{:.1f} min", run.seconds / 60), moecnn::formatted("{} steps", run.step)});
  for (const auto& [key, value] : chosen.settings) r.settings.push_back({key, value});
  r.settings.push_back({"optimiser", moecnn::text_of(chosen.optimizer)});
  r.settings.push_back({"learning rate", moecnn::text_of(chosen.schedule)});
  r.environment = {{"processor", environment::processor()},
                   {"threads", environment::threads(chosen.threads)},
                   {"backend", chosen.backend},
                   {"compiler", __VERSION__}};
  r.curves = moecnn::report::curves_of(run);
  r.warnings = run.warnings;
}
