#pragma once
/// t-SNE maps of the images that a mixture routes: of the gate's logits and of the sparse weights.

#include <moecnn/analysis/predictions.hpp>
#include <moecnn/analysis/tsne.hpp>
#include <moecnn/report/thumbnail_map.hpp>
#include <moecnn/train/terminal.hpp>

#include <cstdio>
#include <numeric>

namespace classifier {

using namespace moecnn;

/// Interleaved pixels of a planar image.
inline report::Image picture(const data::ImageSet& set, int i) {
  report::Image image{.width = set.w, .height = set.h, .channels = 3};
  const int plane = set.w * set.h;
  image.pixels.resize(3 * static_cast<std::size_t>(plane));
  for (int p = 0; p < plane; ++p)
    for (int c = 0; c < 3; ++c) image.pixels[3 * static_cast<std::size_t>(p) + c] = set.image(i)[c * plane + p];
  return image;
}

/// Places of at most `most` of `n` samples, evenly spaced.
inline std::vector<int> thin_places(int n, int most) {
  std::vector<int> places;
  for (int j = 0; j < std::min(n, most); ++j)
    places.push_back(n <= most ? j : static_cast<int>(static_cast<long long>(j) * n / most));
  return places;
}

/// Both maps of a mixture over the same images.
class ExpertMaps {
 public:
  /// Fewer images make no map.
  static constexpr int fewest = 12;

  /// Of at most `most` images. Perplexities are the study's, 15 and 30, or a third of the images where these are few;
  /// rates are the library's.
  ExpertMaps(const data::ImageSet& images, const analysis::Predictions::Mixture& mixture, int most)
      : images_(images), mixture_(mixture), places_(thin_places(images.n, most)) {
    check(static_cast<int>(places_.size()) >= fewest, "a map wants at least {} images, there are {}", fewest,
          places_.size());
    logits_ = map_of(mixture.gate_logits, 15, "the logits");
    weights_ = map_of(mixture.weights, 30, "the weights");
  }

  int count() const { return static_cast<int>(places_.size()); }
  /// All images at the points of the gate's logits.
  report::Image logits(int side) const { return drawn(logits_, all(), side); }
  /// All images at the points of the sparse weights.
  report::Image weights(int side) const { return drawn(weights_, all(), side); }
  /// The same points, with the images that expert `e` serves.
  report::Image weights_of(int e, int side) const {
    std::vector<int> served;
    for (const int i : all())
      if (mixture_.weights(places_[static_cast<std::size_t>(i)], e) > 0) served.push_back(i);
    return drawn(weights_, served, side);
  }

 private:
  std::vector<int> all() const {
    std::vector<int> rows(places_.size());
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }

  analysis::TsneMap map_of(const Matrix& from, double perplexity, const char* what) const {
    Matrix rows(count(), from.cols());
    for (int i = 0; i < rows.rows(); ++i)
      std::ranges::copy(from.row(places_[static_cast<std::size_t>(i)]), rows.row(i).begin());
    const bool screen = Terminal::of(stdout).interactive;
    return analysis::tsne(
        rows, {.perplexity = std::min(perplexity, rows.rows() / 3.0), .progress = [&](int done, double divergence) {
                 if (screen)
                   fmt::print("\rt-SNE of {} of {}: {:.0f} %, divergence {:.3f}{}", what, mixture_.name, done / 10.0,
                              divergence, done == 1000 ? "\n" : ""),
                       std::fflush(stdout);
               }});
  }

  report::Image drawn(const analysis::TsneMap& map, const std::vector<int>& shown, int side) const {
    return report::thumbnail_map(
        map.points, shown, [&](int i) { return picture(images_, places_[static_cast<std::size_t>(i)]); }, side);
  }

  const data::ImageSet& images_;
  const analysis::Predictions::Mixture& mixture_;
  std::vector<int> places_;
  analysis::TsneMap logits_, weights_;
};

}  // namespace classifier
