#pragma once
/// \file
/// Surfaces of the synthetic images: how much of the second colour shows at a point.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace moecnn::data {

enum class Texture { plain, striped, checked, dotted, ringed, shaded, speckled, wavy, gridded, zigzag };

namespace detail {

/// Distance from the nearest whole number, times 2: a triangle wave of period 1 from 0 to 1.
inline float wave(float x) { return 2 * std::abs(x - std::floor(x + 0.5f)); }
/// 0 below `edge`, 1 above, with a ramp instead of a jump so that a pixel does not flicker.
inline float step(float x, float edge = 0.5f) { return std::clamp((x - edge) * 4 + 0.5f, 0.0f, 1.0f); }

}  // namespace detail

/// Share of the second colour, 0 to 1. (x, y) are in periods of the texture, about -2 to 2 over a shape; `cells` are 64
/// random bytes of this image.
inline float second_colour(Texture texture, float x, float y, const std::array<std::uint8_t, 64>& cells) {
  using namespace detail;
  switch (texture) {
    case Texture::plain: return 0;
    case Texture::striped: return step(wave(y));
    case Texture::checked: {
      const float a = step(wave(x)), b = step(wave(y));
      return a + b - 2 * a * b;
    }
    case Texture::dotted: {
      const float u = x - std::floor(x) - 0.5f, v = y - std::floor(y) - 0.5f;
      return step(1 - 1.5f * std::sqrt(u * u + v * v));
    }
    case Texture::ringed: return step(wave(std::sqrt(x * x + y * y)));
    case Texture::shaded: return std::clamp(0.5f + 0.3f * y, 0.0f, 1.0f);
    case Texture::speckled: {
      const int u = static_cast<int>(std::floor(2.5f * x)) & 7, v = static_cast<int>(std::floor(2.5f * y)) & 7;
      return static_cast<float>(cells[u + 8 * v]) / 255;
    }
    case Texture::wavy: return step(wave(y + 0.45f * wave(0.6f * x)));
    case Texture::gridded: return step(std::max(wave(x), wave(y)), 0.72f);
    case Texture::zigzag: return step(wave(x + 0.8f * wave(y)));
  }
  return 0;
}

}  // namespace moecnn::data
