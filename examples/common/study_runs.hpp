#pragma once
/// The runs of a study: each is trained and evaluated in a folder of its own, and one that is finished is not made again.

#include "study_settings.hpp"

#include <cstdio>
#include <functional>
#include <optional>
#include <set>

namespace runs {

using Words = std::vector<std::string>;
/// Runs the program with other words; returns its exit status.
using Program = std::function<int(const Words&)>;

inline Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Which words a run consists of.
struct RunPlan {
  std::filesystem::path folder;
  Words train;                       ///< options of `train`, without the folder
  Words passed_on;                   ///< further ones that the user gave for every run
  Words eval;                        ///< options of `eval`, without weights, data and the file for the figures
  std::string weights;               ///< the file of the folder that is evaluated: "last.safetensors"
  Words look = {};                   ///< options of `eval` that make another result of the same run
  std::string result = "eval.json";  ///< in the folder: figures of the evaluation
};

/// One configuration with one seed.
class Run {
 public:
  explicit Run(RunPlan plan) : plan_(std::move(plan)) {
    own_ = escaped(settings_from(plan_.train));
    settings_ = settings_from(plan_.train + plan_.passed_on);
    for (const auto& [key, value] : settings_from(plan_.eval))
      if (!deciding({{key, value}}).empty()) settings_.emplace_back("eval " + key, value);
    settings_.emplace_back("eval weights", plan_.weights);
    other_ = not_the_run(plan_.folder, settings_);
  }

  const std::filesystem::path& folder() const { return plan_.folder; }
  std::filesystem::path result() const { return plan_.folder / plan_.result; }
  /// Why the run in the folder has other settings and is not used; "" where it is this run.
  const std::string& other() const { return other_; }
  bool done() const { return other_.empty() && std::filesystem::exists(result()); }
  /// The figures of a finished run, null of another.
  io::Json figures() const { return done() ? read_json(result()) : io::Json(); }
  /// Why the run has no figures although it was started, in words; "" where nothing went wrong.
  std::string trouble() const {
    if (!other_.empty()) return folder().string() + " holds a run of other settings (" + other_ + ")";
    const auto file = folder() / "error.txt";
    if (!std::filesystem::exists(file)) return "";
    std::string text = read_text(file);
    return text.substr(0, text.find('\n'));
  }
  /// The settings of a finished run that are neither in its configuration nor in the protocol.
  Settings additions() const {
    Settings some;
    for (const auto& one : read_record(folder()))
      if (!one.first.starts_with("eval ") && std::find(own_.begin(), own_.end(), one) == own_.end())
        some.push_back(one);
    return some;
  }

  /// Trains where that is still to do, and evaluates. Returns 0, or the exit status of a training that a signal stopped.
  /// An error of one run is written down and does not stop the others.
  int work(const Program& program) const {
    try {
      if (!std::filesystem::exists(folder() / "trained")) {
        write_record(folder(), settings_);
        const bool begun = std::filesystem::exists(folder() / "checkpoint.safetensors");
        const Words words = Words{"train"} + plan_.train + plan_.passed_on + Words{"--out", folder().string()};
        const int status = program(begun ? words + Words{"--resume"} : words);
        if (status > 128) return status;
        check(status == 0, "training ended with status {}", status);
        write_text(folder() / "trained", "yes\n");
      }
      Words eval = Words{"eval", "--weights", (folder() / plan_.weights).string(), "--json", result().string()};
      for (const auto& [key, value] : settings_)
        if (key == "data") eval = eval + Words{"--data", value};
      check(program(eval + plan_.eval + plan_.look) == 0, "the evaluation failed");
      std::filesystem::remove(folder() / "error.txt");
    } catch (const std::exception& e) {
      fmt::print(stderr, "{}: {}\n", folder().string(), e.what());
      write_text(folder() / "error.txt", std::string(e.what()) + "\n");
    }
    return 0;
  }

 private:
  RunPlan plan_;
  Settings own_;       ///< from the configuration and the protocol, as in a record
  Settings settings_;  ///< with all that was passed on, and how it is evaluated
  std::string other_;
};

/// The options for `train` that `eval` needs, too: those of the machine, and `more`.
inline Words for_eval(const Words& passed_on, const Words& more = {}) {
  const Words names = Words{"--threads", "--backend", "--precision"} + more;
  Words found;
  for (std::size_t i = 0; i < passed_on.size(); ++i)
    for (const std::string& option : names) {
      if (passed_on[i] == option && i + 1 < passed_on.size()) found = found + Words{option, passed_on[i + 1]};
      if (passed_on[i].starts_with(option + "=")) found.push_back(passed_on[i]);
    }
  return found;
}

/// The settings that all runs of a table share and that are neither in its rows nor in the protocol.
inline std::string in_every_run(const std::vector<Settings>& additions) {
  const std::string words = typed(common(additions));
  return words.empty() ? "" : " Other than that, every run had " + words + ".";
}

/// Works through a list of runs.
class Worker {
 public:
  /// With `list_only` nothing is started.
  Worker(Program program, std::string out, bool list_only)
      : program_(std::move(program)), out_(std::move(out)), list_only_(list_only) {}

  /// Prints a line on the run, and makes it where that is still to do. Returns the exit status of a training that a signal
  /// stopped, else 0.
  int operator()(const std::string& title, const Run& run, const std::string& more = {}) {
    fmt::print("{}: {}{}\n", title,
               !run.other().empty()
                   ? formatted("not used: {} holds a run of other settings: {}", run.folder().string(), run.other())
               : run.done() ? "done"
                            : run.folder().string(),
               run.done() || !run.other().empty() ? "" : more);
    std::fflush(stdout);
    if (!run.other().empty()) others_.insert(run.folder().string());
    return list_only_ || run.done() || !run.other().empty() ? 0 : run.work(program_);
  }

  /// Throws Error where runs of other settings were in the way.
  void finish() const {
    check(others_.empty(),
          "{} run(s) in {} have other settings than those that are wanted now and are not used; give another --out, or "
          "remove these folders, the first of which is {}",
          others_.size(), out_, others_.empty() ? "" : *others_.begin());
  }

 private:
  Program program_;
  std::string out_;
  bool list_only_;
  std::set<std::string> others_;
};

}  // namespace runs
