#pragma once
/// \file
/// Outlines of the synthetic images as signed distances: negative inside, in units of the shape's radius.

#include <algorithm>
#include <array>
#include <cmath>

namespace moecnn::data {

enum class Shape { disc, square, triangle, star, cross, crescent, flower, hourglass, arrow, heart };

/// Differences between the five classes of a family.
enum class Variant { whole, hollow, twin, slim, cut };

namespace detail {

inline float length(float x, float y) { return std::sqrt(x * x + y * y); }
inline float box(float x, float y, float half_width, float half_height) {
  return std::max(std::abs(x) - half_width, std::abs(y) - half_height);
}

/// Outward normals of a regular n-gon with a side at the bottom (y points down).
template <int n>
inline const std::array<std::array<float, 2>, n>& normals() {
  static const auto table = [] {
    std::array<std::array<float, 2>, n> t{};
    for (int i = 0; i < n; ++i) {
      const double angle = 6.283185307179586 * (i / static_cast<double>(n) + 0.25);
      t[i] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
    }
    return t;
  }();
  return table;
}

/// The five-pointed star is what lies on the inner side of at least four of five lines, so its distance is the second
/// largest of the five.
inline float star(float x, float y) {
  float first = -9, second = -9;
  for (const auto& n : normals<5>()) {
    const float d = -n[0] * x - n[1] * y - 0.38f;
    second = std::max(second, std::min(first, d));
    first = std::max(first, d);
  }
  return second;
}

inline float triangle(float x, float y) {
  float d = -9;
  for (const auto& n : normals<3>()) d = std::max(d, n[0] * x + n[1] * y);
  return d - 0.6f;
}

inline float flower(float x, float y) {
  float d = length(x, y) - 0.4f;
  for (const auto& n : normals<5>()) d = std::min(d, length(x - 0.62f * n[0], y - 0.62f * n[1]) - 0.36f);
  return d;
}

}  // namespace detail

/// Distance of (x, y) from the outline.
inline float distance_to(Shape shape, float x, float y) {
  using namespace detail;
  switch (shape) {
    case Shape::disc: return length(x, y) - 0.95f;
    case Shape::square: return box(x, y, 0.82f, 0.82f);
    case Shape::triangle: return triangle(x, y - 0.2f);
    case Shape::star: return star(x, y);
    case Shape::cross: return std::min(box(x, y, 1.0f, 0.36f), box(x, y, 0.36f, 1.0f));
    case Shape::crescent: return std::max(length(x, y) - 1.0f, 0.78f - length(x - 0.55f, y));
    case Shape::flower: return flower(x, y);
    case Shape::hourglass: return std::max(std::abs(y) - 0.95f, 0.78f * (std::abs(x) - 0.85f * std::abs(y)) - 0.1f);
    case Shape::arrow:
      return std::min(box(x, y - 0.45f, 0.3f, 0.55f), std::max(y - 0.05f, 0.7f * (std::abs(x) - y - 0.95f)));
    case Shape::heart:
      return std::min(length(std::abs(x) - 0.46f, y + 0.3f) - 0.52f,
                      std::max(-0.15f - y, 0.72f * (std::abs(x) + y - 0.87f)));
  }
  return 1;
}

/// The same for a variant of the shape.
inline float distance_to(Shape shape, Variant variant, float x, float y) {
  switch (variant) {
    case Variant::whole: return distance_to(shape, x, y);
    case Variant::hollow: {
      const float d = distance_to(shape, x, y);
      return std::max(d, -d - 0.26f);
    }
    case Variant::twin: return 0.6f * distance_to(shape, (std::abs(x) - 0.62f) / 0.6f, y / 0.6f);
    case Variant::slim: return 0.5f * distance_to(shape, x / 0.48f, y / 1.1f);
    case Variant::cut: return std::max(distance_to(shape, x, y), 0.16f - std::abs(x + 0.6f * y));
  }
  return 1;
}

}  // namespace moecnn::data
