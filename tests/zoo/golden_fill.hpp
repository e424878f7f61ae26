#pragma once
/// The rules by which the golden files' networks are filled, and the summaries in which they hold tensors;
/// tests/golden/README.md.

#include "moecnn/core/rng.hpp"
#include "moecnn/graph/node.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace zoo_test {

inline std::vector<double> signed_uniforms(std::uint64_t seed, std::string_view name, std::size_t n) {
  const moecnn::Rng rng(seed, moecnn::Purpose::other, moecnn::hash_name(name));
  std::vector<double> s(n);
  for (std::size_t i = 0; i < n; ++i) s[i] = 2 * rng.uniform(i) - 1;
  return s;
}

/// The value of parameter `p`, as if it were called `name`.
inline std::vector<float> filled(const moecnn::ParamSpec& p, std::uint64_t seed, const std::string& name) {
  const auto s = signed_uniforms(seed, name, static_cast<std::size_t>(p.elements()));
  const std::string leaf = name.substr(name.rfind('.') + 1);
  const bool offset = leaf == "bias" || leaf == "running_mean", norm = p.shape.size() == 1;
  const double fan_in = static_cast<double>(p.elements()) / p.shape[0];
  std::vector<float> values;
  values.reserve(s.size());
  for (double x : s)
    values.push_back(static_cast<float>(offset ? 0.1 * x : norm ? 1 + 0.2 * x : std::sqrt(6 / fan_in) * x));
  return values;
}
inline std::vector<float> filled(const moecnn::ParamSpec& p, std::uint64_t seed) { return filled(p, seed, p.name); }

/// `rows` × 3 maps of `pixels` pixels: noise around a colour, from row `first_row` on.
inline std::vector<double> filled_images(std::uint64_t seed, std::size_t rows, std::size_t pixels,
                                         std::size_t first_row = 0) {
  const std::size_t begin = first_row * 3 * pixels, end = begin + rows * 3 * pixels;
  const auto noise = signed_uniforms(seed, "images", end);
  const auto colour = signed_uniforms(seed, "image_colours", 3 * (first_row + rows));
  std::vector<double> images;
  for (std::size_t i = begin; i < end; ++i) images.push_back(static_cast<float>(noise[i] + 2 * colour[i / pixels]));
  return images;
}

/// Norm, sum and `picks` elements.
inline std::vector<double> summary(const std::vector<double>& v, std::uint64_t picks = 16) {
  std::vector<double> s{0, 0};
  for (double x : v) s[0] += x * x, s[1] += x;
  s[0] = std::sqrt(s[0]);
  for (std::uint64_t j = 0; j < picks; ++j) s.push_back(v[j * 2654435761ull % v.size()]);
  return s;
}

/// How far two tensors of n numbers are apart, relative, as far as summaries tell: by their norms, by their sums (over
/// what n numbers of that norm can sum up to) and by the picked elements together.
inline double summary_distance(const std::vector<double>& a, const std::vector<double>& b, std::size_t n) {
  const double norm = b[0], most = norm * std::sqrt(static_cast<double>(n));
  if (norm == 0) return a[0];
  double difference = 0, picked = 0;
  for (std::size_t i = 2; i < b.size(); ++i) difference += std::pow(a[i] - b[i], 2), picked += b[i] * b[i];
  const double typical = static_cast<double>(b.size() - 2) * norm * norm / static_cast<double>(n);
  const double d = std::max(
      {std::abs(a[0] - b[0]) / norm, std::abs(a[1] - b[1]) / most, std::sqrt(difference / std::max(picked, typical))});
  return d == d ? d : 1e300;
}

}  // namespace zoo_test
