#pragma once
/// The options of a study, which all programs that have one share, and its choice of experiments.

#include "number_checks.hpp"
#include "study_runs.hpp"

#include <CLI/CLI.hpp>

namespace runs {

struct StudyOptions {
  std::string scale = "quick", data, out;
  std::vector<std::string> only;  ///< experiments; empty: all
  int seeds = 0;                  ///< 0: the scale's
  bool list = false;              ///< says what would run, and starts nothing
  Words passed_on;                ///< options for every training
};

/// Help texts, which differ from program to program.
struct StudyTexts {
  const char *scale, *data, *only, *seeds, *out, *list;
  const char* example;  ///< of options that are passed on
};

inline void add_study_options(CLI::App& app, StudyOptions& o, const StudyTexts& texts) {
  app.allow_extras();
  app.add_option("--scale", o.scale, texts.scale)
      ->check(number_checks::one_of({"quick", "paper", "smoke"}))
      ->capture_default_str();
  app.add_option("--data", o.data, texts.data);
  app.add_option("--only", o.only, texts.only)->delimiter(',')->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--seeds", o.seeds, texts.seeds)->check(number_checks::whole_between(1, 1000));
  app.add_option("--out", o.out, texts.out)->capture_default_str();
  app.add_flag("--list", o.list, texts.list);
  app.footer(std::string("All other options are passed on to every training run: ") + texts.example);
}

/// Runs a program with other words: `run(words, line)`, where the line is what a user would have typed.
template <class Run>
Program with_other_words(const std::string& name, const Run& run) {
  return [name, run](const Words& words) {
    std::string line = name;
    for (const std::string& word : words) line += " " + word;
    return run(words, line);
  };
}

inline bool wanted(const StudyOptions& o, const std::string& id) {
  return o.only.empty() || std::find(o.only.begin(), o.only.end(), id) != o.only.end();
}

/// Throws Error unless all wanted experiments exist. `choices`: in words; empty: "among" all of them.
template <class Experiment>
void check_only(const StudyOptions& o, const std::vector<Experiment>& all, std::string choices = {}) {
  std::string ids;
  for (const Experiment& e : all) ids += (ids.empty() ? "among " : ", ") + e.id;
  for (const std::string& id : o.only)
    check(std::any_of(all.begin(), all.end(), [&](const Experiment& e) { return e.id == id; }),
          "there is no experiment {}; choose {}", id, choices.empty() ? ids : choices);
}

}  // namespace runs
