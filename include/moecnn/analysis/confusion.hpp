#pragma once
/// \file
/// Which class pixels have and which they were given, and the figures that follow: intersection over union as the official
/// Cityscapes script computes it, and accuracies.

#include "moecnn/analysis/best_class.hpp"
#include "moecnn/core/matrix.hpp"
#include "moecnn/core/threads.hpp"
#include "moecnn/io/json.hpp"

#include <span>

namespace moecnn::analysis {

/// Counts of pixels by true and predicted class. Pixels whose truth is the ignored value count nowhere, whatever was
/// predicted. A prediction that is no class is a miss for the true class and a false alarm for none.
///
///     Confusion seen(19);
///     seen.add_scores(logits, batch.count, batch.label_size.h * batch.label_size.w, batch.labels);
///     print(seen.mean_iou());
class Confusion {
 public:
  explicit Confusion(int classes, int ignored = data::ignore_label) : classes_(classes), ignored_(ignored) {
    check(classes >= 1 && classes < 256 && (ignored < 0 || ignored >= classes),
          "a confusion matrix of {} classes that ignores value {}: expected 1 to 255 classes, and none of them ignored",
          classes, ignored);
    counts_.assign(side() * side(), 0);
  }

  /// Label maps of n pixels. Throws Error when a true value is neither a class nor the ignored value.
  template <class Truth, class Guess>
  void add(const Truth* truth, const Guess* guess, std::size_t n) {
    tally(n, [=](std::size_t at, std::size_t, int* best) {
      for (std::size_t i = at; i < std::min(n, at + detail::score_block); ++i)
        best[i - at] = static_cast<int>(guess[i]);
      return truth + at;
    });
  }
  void add(const data::LabelMap& truth, const data::LabelMap& guess) {
    check(truth.h == guess.h && truth.w == guess.w,
          "a prediction of {} × {} pixels cannot be compared with {} × {} labels; bring both to one size", guess.w,
          guess.h, truth.w, truth.h);
    add(truth.values.data(), guess.values.data(), truth.values.size());
  }

  /// Scores [images, classes, pixels], as a network gives them; the highest is the prediction. Truth: [images, pixels].
  template <class T, class Truth>
  void add_scores(const T* scores, int images, std::size_t pixels, const Truth* truth) {
    for (int i = 0; i < images; ++i, scores += classes_ * pixels, truth += pixels)
      tally(pixels, [=, this](std::size_t at, std::size_t size, int* best) {
        detail::best_of_block(scores + at, pixels, classes_, size, best);
        return truth + at;
      });
  }

  /// Takes up what another one counted.
  void add(const Confusion& other) {
    check(other.classes_ == classes_, "a confusion matrix of {} classes cannot be added to one of {}", other.classes_,
          classes_);
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  }
  void reset() { counts_.assign(counts_.size(), 0); }

  int classes() const { return classes_; }
  /// Pixels of class `truth` that were given `guess`; `guess` == classes(): no class.
  long long count(int truth, int guess) const { return counts_[truth * side() + guess]; }
  /// Pixels of a class, and pixels that were given it.
  long long truths(int c) const { return sum(c * side(), 1, side()); }
  long long guesses(int c) const { return sum(c, side(), classes_); }
  /// Pixels that count, and those that were ignored.
  long long pixels() const { return sum(0, 1, classes_ * side()); }
  long long ignored() const { return sum(classes_ * side(), 1, side()); }

  /// Intersection over union: right / (truths + guesses - right); NaN for a class that was neither there nor predicted.
  double iou(int c) const { return ratio(count(c, c), truths(c) + guesses(c) - count(c, c)); }
  /// Share of the pixels of a class that were found; NaN where there were none.
  double accuracy(int c) const { return ratio(count(c, c), truths(c)); }
  std::vector<double> ious() const {
    return each([this](int c) { return iou(c); });
  }
  std::vector<double> accuracies() const {
    return each([this](int c) { return accuracy(c); });
  }

  /// Means over the classes that have a value; NaN when none has.
  double mean_iou() const { return mean(ious()); }
  double mean_accuracy() const { return mean(accuracies()); }
  /// Share of the pixels that were given their class.
  double pixel_accuracy() const { return ratio(sum(0, side() + 1, classes_), pixels()); }

  /// classes × classes: what the pixels of a class (row) were taken for, as shares; NaN for classes without pixels.
  Matrix shares() const {
    Matrix m(classes_, classes_);
    for (int t = 0; t < classes_; ++t)
      for (int g = 0; g < classes_; ++g) m(t, g) = ratio(count(t, g), truths(t));
    return m;
  }

  /// All figures and the counts, with the names of the classes where they are given.
  io::Json json(const std::vector<std::string>& names = {}) const {
    io::Json per_class = io::Json::array(), rows = io::Json::array();
    for (int c = 0; c < classes_; ++c) {
      io::Json one = io::Json::object({{"class", c}});
      if (c < static_cast<int>(names.size())) one.set("name", names[c]);
      one.set("iou", iou(c));
      one.set("accuracy", accuracy(c));
      one.set("pixels", truths(c));
      per_class.add(one);
      rows.add(std::vector<long long>(counts_.begin() + c * side(), counts_.begin() + (c + 1) * side() - 1));
    }
    return io::Json::object({{"mean_iou", mean_iou()},
                             {"pixel_accuracy", pixel_accuracy()},
                             {"mean_accuracy", mean_accuracy()},
                             {"pixels", pixels()},
                             {"ignored", ignored()},
                             {"classes", per_class},
                             {"counts", rows}});
  }

 private:
  /// Counts blocks of pixels: `block(at, size, best)` fills in the predictions and returns where their truth is.
  template <class Block>
  void tally(std::size_t n, const Block& block) {
    long long strangers = 0;
    int stranger = 0;
#pragma omp parallel if (worth_sharing(n))
    {
      std::vector<long long> mine(counts_.size(), 0);
      int best[detail::score_block];
#pragma omp for schedule(static) nowait
      for (std::size_t at = 0; at < n; at += detail::score_block) {
        const std::size_t size = std::min(detail::score_block, n - at);
        const auto* truth = block(at, size, best);
        for (std::size_t i = 0; i < size; ++i) {
          const int t = static_cast<int>(truth[i]);
          if (index(t) == classes_ && t != ignored_) {
#pragma omp critical(moecnn_confusion)
            ++strangers, stranger = t;
          }
          ++mine[index(t) * side() + index(best[i])];
        }
      }
#pragma omp critical(moecnn_confusion)
      for (std::size_t i = 0; i < mine.size(); ++i) counts_[i] += mine[i];
    }
    check(strangers == 0,
          "{} of {} pixels have no class that is known, such as {}; expected 0 to {}, or {} for pixels to ignore",
          strangers, n, stranger, classes_ - 1, ignored_);
  }

  std::ptrdiff_t side() const {
    return classes_ + 1;
  }  // the last row is for ignored pixels, the last column for no class
  int index(int value) const { return value >= 0 && value < classes_ ? value : classes_; }
  long long sum(std::ptrdiff_t first, std::ptrdiff_t step, std::ptrdiff_t count) const {
    long long all = 0;
    for (std::ptrdiff_t i = 0; i < count; ++i) all += counts_[first + i * step];
    return all;
  }
  static double ratio(long long part, long long whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole)
                     : std::numeric_limits<double>::quiet_NaN();
  }
  template <class Value>
  std::vector<double> each(const Value& value) const {
    std::vector<double> all;
    for (int c = 0; c < classes_; ++c) all.push_back(value(c));
    return all;
  }
  static double mean(const std::vector<double>& values) {
    double all = 0;
    int known = 0;
    for (double v : values)
      if (!std::isnan(v)) all += v, ++known;
    return known > 0 ? all / known : std::numeric_limits<double>::quiet_NaN();
  }

  int classes_, ignored_;
  std::vector<long long> counts_;
};

}  // namespace moecnn::analysis
