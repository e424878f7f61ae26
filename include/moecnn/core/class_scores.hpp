#pragma once
/// \file
/// How good the scores of classes are: ranks, top-k and cross-entropy of logits that lie on the host.

#include <algorithm>
#include <cmath>

namespace moecnn {

/// The number of classes scored above `label`; of equal scores the lower class comes first, as in argmax. The label is
/// among the best k when its rank is below k. A NaN score is never correct.
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
template <class T, class Label>
int count_top_k(const T* logits, const Label* labels, int rows, int classes, int k) {
  int right = 0;
  for (int r = 0; r < rows; ++r) right += rank_of(logits + static_cast<long long>(r) * classes, classes, labels[r]) < k;
  return right;
}

}  // namespace moecnn
