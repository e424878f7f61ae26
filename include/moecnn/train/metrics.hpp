#pragma once
/// \file
/// Accuracy, loss of given logits, and running means.

#include "moecnn/core/threads.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moecnn {

/// How many classes are scored above `label`; of equal scores the lower class comes first, as argmax has it. The label
/// is among the best k when its rank is below k. A score that is no number is never right.
template <class T>
int rank_of(const T* logits, int classes, int label) {
  const T own = logits[label];
  if (!(own == own)) return classes;
  int above = 0;
  for (int c = 0; c < classes; ++c) above += logits[c] > own || (logits[c] == own && c < label);
  return above;
}

/// -log softmax(logits)[label], in double.
template <class T>
double cross_entropy_of(const T* logits, int classes, int label) {
  double top = logits[0], sum = 0;
  for (int c = 1; c < classes; ++c) top = std::max<double>(top, logits[c]);
  for (int c = 0; c < classes; ++c) sum += std::exp(logits[c] - top);
  return top + std::log(sum) - logits[label];
}

/// Rows of [rows, classes] whose label is among the k highest scores.
template <class T>
int count_top_k(const T* logits, const int* labels, int rows, int classes, int k) {
  int right = 0;
  for (int r = 0; r < rows; ++r) right += rank_of(logits + static_cast<long long>(r) * classes, classes, labels[r]) < k;
  return right;
}

/// Pixels of label maps: how many have a label, and of these, how many have the highest score there.
struct PixelCount {
  long long right = 0, labelled = 0;
  double accuracy() const { return labelled > 0 ? static_cast<double>(right) / static_cast<double>(labelled) : 0.0; }
};

/// Logits [images, classes, pixels], labels [images, pixels]; pixels with the label `ignore` do not count. Of equal scores
/// the lower class wins. A score that is no number is never the highest.
template <class T>
PixelCount count_pixels(const T* logits, const int* labels, int images, int classes, long long pixels, int ignore) {
  constexpr long long strip = 1024;  // pixels whose best score and class stay in the first cache
  const long long strips = (pixels + strip - 1) / strip;
  long long right = 0, labelled = 0;
#pragma omp parallel for schedule(static) reduction(+ : right, labelled) if (worth_sharing(images * classes * pixels))
  for (long long s = 0; s < images * strips; ++s) {
    const long long image = s / strips, first = s % strips * strip;
    const int n = static_cast<int>(std::min(strip, pixels - first));
    const T* z = logits + image * classes * pixels + first;
    const int* label = labels + image * pixels + first;
    T best[strip];
    int winner[strip];
    for (int i = 0; i < n; ++i) best[i] = -std::numeric_limits<T>::infinity(), winner[i] = -1;
    for (int c = 0; c < classes; ++c) {
      const T* row = z + c * pixels;
      for (int i = 0; i < n; ++i) {
        winner[i] = row[i] > best[i] ? c : winner[i];
        best[i] = row[i] > best[i] ? row[i] : best[i];
      }
    }
    for (int i = 0; i < n; ++i) labelled += label[i] != ignore, right += label[i] == winner[i] && label[i] != ignore;
  }
  return {right, labelled};
}

/// A mean that forgets: the first values count equally, later ones with weight 1/memory. For displays.
class RecentMean {
 public:
  explicit RecentMean(double memory = 20) : memory_(memory) {}
  void add(double value) {
    count_ = std::min(count_ + 1, memory_);
    mean_ += (value - mean_) / count_;
  }
  double mean() const { return mean_; }

 private:
  double memory_, count_ = 0, mean_ = 0;
};

}  // namespace moecnn
