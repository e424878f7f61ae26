#pragma once
/// \file
/// The results of a training run besides weights: curves, the use of the experts, warnings. Plain data, enough to draw
/// a report from. Accuracies and shares are fractions 0 … 1.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moecnn/model/task.hpp"

namespace moecnn {

/// One mixture layer.
struct MixtureInfo {
  std::string name;  ///< "layer4"
  int experts = 0, k = 0;
};

/// How the experts of one mixture were used over some stretch of time; each vector has N entries and sums to 1.
struct ExpertUse {
  std::vector<double> load;        ///< share of the rows
  std::vector<double> importance;  ///< share of the routing weight
};

/// Means over the steps since the previous record.
struct StepRecord {
  std::int64_t step = 0;  ///< steps done
  double epoch = 0;       ///< epochs done, with fraction
  double loss = 0;        ///< task loss, without the balance loss
  double balance_loss = 0;
  double accuracy = 0;  ///< share of the labels that the first loss counts as hits, on the augmented training batches
  double lr = 0;        ///< of the last step
  double images_per_s = 0;
  std::vector<ExpertUse> mixtures = {};  ///< as in TrainResult::mixtures
  long long code_made = 0;               ///< pieces of code that the backend has made since, see Backend::code_made()
  double code_seconds = 0;               ///< … and the time that this took
};

/// On the test set.
struct TestRecord {
  int images = 0;
  double loss = 0;
  std::vector<Score> scores = {};  ///< as the task counts them; the best weights have the best first one
  std::vector<ExpertUse> mixtures = {};
  /// A figure per class, of label maps the intersection over union; NaN where a class does not occur.
  std::vector<double> per_class = {};

  bool of_maps() const {
    return std::any_of(scores.begin(), scores.end(), [](const Score& s) { return s.name == "mean_iou"; });
  }
  /// The score of that name, NaN where there is none.
  double value(std::string_view name) const { return value_of(scores, name); }
  double top1() const { return value("top1"); }
  double top5() const { return value("top5"); }
  double mean_iou() const { return value("mean_iou"); }
  double pixel_accuracy() const { return value("pixel_accuracy"); }
  /// Share of the labels that were hit, whatever the task calls it.
  double accuracy() const {
    for (const char* name : {"top1", "pixel_accuracy", "accuracy"})
      if (!std::isnan(value(name))) return value(name);
    return std::numeric_limits<double>::quiet_NaN();
  }
  double score() const { return scores.empty() ? std::numeric_limits<double>::quiet_NaN() : scores[0].value; }
};

/// Means over one epoch, and the test set after it.
struct EpochRecord {
  int epoch = 0;  ///< from 0
  std::int64_t step = 0;
  double loss = 0, balance_loss = 0, accuracy = 0, lr = 0, images_per_s = 0;
  double seconds = 0;  ///< training only, without the test
  std::vector<ExpertUse> mixtures = {};
  std::optional<TestRecord> test = {};
};

enum class Ended {
  all_epochs,
  max_steps,
  stopped  ///< by a signal or by TrainOpts::should_stop
};

/// After a resumed run the records hold the earlier sittings too, as far as the run has a log.
struct TrainResult {
  std::vector<MixtureInfo> mixtures = {};
  std::vector<StepRecord> steps = {};  ///< every TrainOpts::log_steps steps
  std::vector<EpochRecord> epochs = {};
  std::vector<std::string> warnings = {};  ///< sentences with the step at which they came
  std::optional<TestRecord> test = {};     ///< the last time the test set was run
  std::int64_t step = 0;                   ///< steps done in all
  int epoch = 0;                           ///< epochs done in all
  Ended ended = Ended::all_epochs;
  int signal = 0;            ///< number of the signal that stopped it, for an exit status of 128 + signal; 0: none
  double seconds = 0;        ///< training only, all sittings
  bool resumed = false;      ///< this sitting went on from a checkpoint
  std::string goodbye = {};  ///< how it ended and how to go on, in a sentence; fit() does not print it
};

}  // namespace moecnn
