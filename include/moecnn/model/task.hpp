#pragma once
/// \file
/// A task: which targets a batch has, the losses that compare the network's result with them, and how good a result is.
/// task::Classify and task::Segment are two; docs/customising.md has one of a user's own.

#include "moecnn/core/targets.hpp"
#include "moecnn/graph/recorder.hpp"

#include <concepts>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace moecnn {

class Program;

/// A figure of a test.
struct Score {
  std::string name;  ///< in files: "top1"
  double value = std::numeric_limits<double>::quiet_NaN();
  std::string title = {};  ///< for people: "top-1"; empty: the name
  bool share = true;       ///< a fraction 0 … 1, shown in percent
  bool higher_is_better = true;

  /// "top-1 56.00 %"
  std::string text() const {
    const std::string& shown = title.empty() ? name : title;
    return share ? formatted("{} {:.2f} %", shown, 100 * value) : formatted("{} {:.4g}", shown, value);
  }
  bool better_than(double other) const { return higher_is_better ? value > other : value < other; }
};

/// The score of that name, NaN where there is none.
inline double value_of(const std::vector<Score>& scores, std::string_view name) {
  for (const Score& s : scores)
    if (s.name == name) return s.value;
  return std::numeric_limits<double>::quiet_NaN();
}

/// How good the results on a set of images were.
struct TaskResult {
  double loss = 0;                     ///< mean over the labels that count
  std::vector<Score> scores = {};      ///< the first one decides which weights are the best
  std::vector<double> per_class = {};  ///< such as the intersection over union of each class; NaN where it has no value
};

/// Counts results over the batches of a test set.
class Tally {
 public:
  virtual ~Tally() = default;
  /// One batch: `program` has just run forward, and `targets` are those of its images.
  virtual void add(const Program& program, const Targets& targets) = 0;
  virtual TaskResult result() const = 0;
};

class Task {
 public:
  virtual ~Task() = default;
  /// Records targets and losses behind an edge of scores, with that factor: of the network's result, and once for each
  /// auxiliary value. Targets have the same names each time.
  virtual void losses(Recorder& g, int scores, double factor) const = 0;
  /// A new tally for a test; null: the loss, and the share of the labels that were hit, from the losses themselves.
  virtual std::unique_ptr<Tally> tally() const { return nullptr; }
};

/// Any task; copies share it.
class AnyTask {
 public:
  template <std::derived_from<Task> T>
  AnyTask(T task) : task_(std::make_shared<const T>(std::move(task))) {}
  const Task* operator->() const { return task_.get(); }
  const Task& operator*() const { return *task_; }

 private:
  std::shared_ptr<const Task> task_;
};

}  // namespace moecnn
