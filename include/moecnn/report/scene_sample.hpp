#pragma once
/// \file
/// One scene in several pictures side by side: image, truth, prediction, and who decided where.

#include "moecnn/analysis/confusion.hpp"
#include "moecnn/report/expert_map.hpp"

#include <utility>

namespace moecnn::report {

struct ScenePanel {
  std::string title = {};
  Image picture = {};
};

struct SceneSample {
  std::string name = {};
  std::string note = {};  ///< such as how well the prediction fits
  std::vector<ScenePanel> panels = {};
};

/// Image, truth (left out where it is empty) and prediction, at most `width` pixels wide each. The label maps may have
/// other sizes than the photo. Where both have one size, the note says how well they agree.
inline SceneSample scene_sample(std::string name, const data::RgbImage& photo, const data::LabelMap& truth,
                                const data::LabelMap& prediction, std::span<const Rgb> palette, int width = 360) {
  const Size2 size = fit_width({photo.h, photo.w}, width);
  SceneSample s{.name = std::move(name)};
  s.panels.push_back({"image", photo_picture(photo, size)});
  if (!truth.values.empty()) s.panels.push_back({"ground truth", label_picture(truth, palette, size)});
  s.panels.push_back({"prediction", label_picture(prediction, palette, size)});
  if (!truth.values.empty() && truth.h == prediction.h && truth.w == prediction.w) {
    analysis::Confusion seen(static_cast<int>(palette.size()));
    seen.add(truth, prediction);
    s.note = "mIoU " + percent(seen.mean_iou()) + ", pixel accuracy " + percent(seen.pixel_accuracy());
  }
  return s;
}

/// Adds the map of a mixture to a sample, over its first picture. See expert_map() for the weights.
inline void add_expert_map(SceneSample& sample, std::string title, const PatchGrid& grid, const Matrix& weights,
                           int first = 0, const ExpertMap& opts = {}) {
  check(!sample.panels.empty(), "the sample '{}' has no picture that experts could be drawn over", sample.name);
  sample.panels.push_back({std::move(title), expert_map(sample.panels[0].picture, grid, weights, first, opts)});
}

/// All pictures of a sample, which have one size, in a row: for a file of its own.
inline Image strip(const SceneSample& sample, int gap = 6) {
  std::vector<Image> pictures;
  for (const ScenePanel& p : sample.panels) pictures.push_back(p.picture);
  return image_grid(pictures, static_cast<int>(pictures.size()), 1, gap);
}

}  // namespace moecnn::report
