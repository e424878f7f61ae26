#pragma once
/// \file
/// From logits to the classes of pixels, on maps that may have another size than the logits.

#include "moecnn/core/extent.hpp"
#include "moecnn/core/sampling.hpp"
#include "moecnn/core/size2.hpp"
#include "moecnn/core/threads.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace moecnn::analysis {

/// From logits to the classes and losses of pixels.
struct MapReading {
  std::vector<std::uint8_t> predicted;  ///< maps × pixels: the class with the highest score, the lowest of equal ones
  double loss = 0;                      ///< Σ of -log softmax(logits)[label] over the pixels that have a label
  long long labelled = 0;               ///< so many
  std::vector<double> row_loss;         ///< scratch
  std::vector<long long> row_labelled;
};

namespace detail {

/// Rows of logits [classes, h, w], enlarged or shrunk to a width: bilinear, edges on edges.
class LogitRow {
 public:
  LogitRow(int classes, Size2 from, Size2 to)
      : classes_(classes), from_(from), to_(to), blend_(from.w), values_(static_cast<std::size_t>(classes) * to.w) {
    for (int x = 0; x < to.w; ++x) taps_.push_back(bilinear_tap(x, from.w, to.w, /*align_corners=*/false));
  }

  /// Row y of the enlarged logits: class c of pixel x is [c * to.w + x].
  template <class T>
  const float* at(const T* logits, int y) {
    const Tap row = bilinear_tap(y, from_.h, to_.h, /*align_corners=*/false);
    const auto upper = static_cast<float>(1 - row.t), lower = static_cast<float>(row.t);
    for (int c = 0; c < classes_; ++c) {
      const T* plane = logits + static_cast<std::size_t>(c) * from_.h * from_.w;
      const T *a = plane + static_cast<std::size_t>(row.lo) * from_.w, *b = plane + std::size_t(row.hi) * from_.w;
      float* out = values_.data() + static_cast<std::size_t>(c) * to_.w;
      if (from_ == to_) {
        std::copy_n(a, to_.w, out);
        continue;
      }
      for (int x = 0; x < from_.w; ++x) blend_[x] = upper * static_cast<float>(a[x]) + lower * static_cast<float>(b[x]);
      for (int x = 0; x < to_.w; ++x) {
        const auto t = static_cast<float>(taps_[x].t);
        out[x] = (1 - t) * blend_[taps_[x].lo] + t * blend_[taps_[x].hi];
      }
    }
    return values_.data();
  }

 private:
  int classes_;
  Size2 from_, to_;
  std::vector<Tap> taps_;
  std::vector<float> blend_, values_;
};

/// The best class of each pixel of a row, `ignore` where no score is a number, and the loss of those that have a label.
inline std::pair<double, long long> read_row(const float* z, int classes, int width, const int* labels, int ignore,
                                             std::vector<float>& best, std::uint8_t* predicted) {
  best.assign(static_cast<std::size_t>(width), -std::numeric_limits<float>::infinity());
  std::fill_n(predicted, width, static_cast<std::uint8_t>(ignore));
  for (int c = 0; c < classes; ++c)
    for (int x = 0; x < width; ++x) {
      const float v = z[static_cast<std::size_t>(c) * width + x];
      predicted[x] = v > best[x] ? static_cast<std::uint8_t>(c) : predicted[x];
      best[x] = v > best[x] ? v : best[x];
    }
  double loss = 0;
  long long labelled = 0;
  for (int x = 0; x < width && labels; ++x) {
    if (labels[x] == ignore) continue;
    float sum = 0;
    for (int c = 0; c < classes; ++c) sum += std::exp(z[static_cast<std::size_t>(c) * width + x] - best[x]);
    loss += std::log(sum) + best[x] - z[static_cast<std::size_t>(labels[x]) * width + x];
    ++labelled;
  }
  return {loss, labelled};
}

}  // namespace detail

/// Reads logits [from.n, classes, from.h, from.w] at the size of label maps, `to`; logits of another size are resized
/// bilinearly first. `labels` [from.n, to] may be null. The order of the sums does not depend on the number of threads.
template <class T>
void read_maps(const T* logits, Extent from, int classes, const int* labels, Size2 to, int ignore, MapReading& out) {
  check(classes >= 1 && classes <= 255, "label maps have 1 to 255 classes, not {}", classes);
  const long long rows = static_cast<long long>(from.n) * to.h;
  out.predicted.resize(static_cast<std::size_t>(rows) * to.w);
  out.row_loss.resize(static_cast<std::size_t>(rows));
  out.row_labelled.resize(static_cast<std::size_t>(rows));
#pragma omp parallel if (worth_sharing(rows * to.w * classes))
  {
    detail::LogitRow row(classes, {from.h, from.w}, to);
    std::vector<float> best;
#pragma omp for schedule(static)
    for (long long r = 0; r < rows; ++r) {
      const float* z = row.at(logits + r / to.h * classes * from.pixels(), static_cast<int>(r % to.h));
      const auto [loss, labelled] = detail::read_row(z, classes, to.w, labels ? labels + r * to.w : nullptr, ignore,
                                                     best, out.predicted.data() + r * to.w);
      out.row_loss[static_cast<std::size_t>(r)] = loss, out.row_labelled[static_cast<std::size_t>(r)] = labelled;
    }
  }
  out.loss = 0, out.labelled = 0;
  for (std::size_t r = 0; r < out.row_loss.size(); ++r)
    out.loss += out.row_loss[r], out.labelled += out.row_labelled[r];
}

}  // namespace moecnn::analysis
