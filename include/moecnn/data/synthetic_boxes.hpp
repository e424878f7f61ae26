#pragma once
/// \file
/// Scenes of shapes with boxes, made on the spot: something to detect without a download. Every class comes in three sizes,
/// so what an expert knows about sizes is not what it knows about classes.

#include "moecnn/data/colour.hpp"
#include "moecnn/data/detection_set.hpp"
#include "moecnn/data/draws.hpp"
#include "moecnn/data/synthetic_shapes.hpp"
#include "moecnn/data/synthetic_textures.hpp"

namespace moecnn::data {

inline constexpr int most_box_classes = 8;

/// Options of synthetic_boxes().
struct SceneOpts {
  int height = 256, width = 320;
  int classes = 5;  ///< 1 to 8 kinds of shapes
  std::uint64_t seed = 0;
  Split split = Split::train;
};

namespace detail {

struct BoxClass {
  const char* name;
  Shape shape;
};
inline constexpr std::array<BoxClass, most_box_classes> box_classes{{{"disc", Shape::disc},
                                                                     {"star", Shape::star},
                                                                     {"square", Shape::square},
                                                                     {"heart", Shape::heart},
                                                                     {"cross", Shape::cross},
                                                                     {"triangle", Shape::triangle},
                                                                     {"flower", Shape::flower},
                                                                     {"arrow", Shape::arrow}}};

/// The three sizes: of a shape across, in heights of the picture, and how many of them a picture has at most. At 256 pixels
/// they are small, medium and large as COCO's metric has it.
struct SizeRange {
  float least, most;
  int count;
};
inline constexpr std::array<SizeRange, 3> box_sizes{{{0.46f, 0.62f, 1}, {0.2f, 0.28f, 3}, {0.095f, 0.13f, 5}}};

/// Draws one scene.
class ScenePainter {
 public:
  ScenePainter(const SceneOpts& opts, Draws draw)
      : h_(opts.height), w_(opts.width), classes_(opts.classes), draw_(draw), pixels_(3 * plane()) {}

  /// Adds the scene to the set.
  void paint(DetectionSet& set) {
    background();
    const bool empty = draw_.uniform(0, 1) < 0.04f;  // some pictures have nothing on them
    for (const SizeRange& size : box_sizes)          // the large ones below
      for (int i = empty ? 0 : draw_.below(size.count + 1); i > 0; --i) thing(size, set);
    grain();
    set.pixels.push_back({h_, w_, std::move(bytes_)});
  }

 private:
  std::size_t plane() const { return static_cast<std::size_t>(h_) * w_; }
  Colour any_colour(float low, float high) {
    return {draw_.uniform(low, high), draw_.uniform(low, high), draw_.uniform(low, high)};
  }
  float* at(int y, int x) { return pixels_.data() + 3 * (static_cast<std::size_t>(y) * w_ + x); }
  static void mix(float* to, const Colour& colour, float share) {
    for (std::size_t c = 0; c < 3; ++c) to[c] += share * (colour[c] - to[c]);
  }

  /// A muted gradient with soft blots and a few strips.
  void background() {
    const Colour from = any_colour(0.2f, 0.75f), to = any_colour(0.2f, 0.75f);
    const float angle = draw_.uniform(0, 6.28f), dx = std::cos(angle), dy = std::sin(angle);
    struct Blot {
      float x, y, radius;
      Colour colour;
    };
    std::array<Blot, 6> blots;
    const float height = static_cast<float>(h_), width = static_cast<float>(w_);
    for (Blot& b : blots)
      b = {draw_.uniform(0, width), draw_.uniform(0, height), height * draw_.uniform(0.15f, 0.5f),
           any_colour(0.15f, 0.85f)};
    for (int y = 0; y < h_; ++y)
      for (int x = 0; x < w_; ++x) {
        const float fx = static_cast<float>(x), fy = static_cast<float>(y);
        float* p = at(y, x);
        const float along = 0.5f + 0.5f * (dx * (2 * fx / width - 1) + dy * (2 * fy / height - 1));
        for (std::size_t c = 0; c < 3; ++c) p[c] = from[c] + std::clamp(along, 0.0f, 1.0f) * (to[c] - from[c]);
        for (const Blot& b : blots) {
          const float d = length(fx - b.x, fy - b.y) / b.radius;
          if (d < 1) mix(p, b.colour, 0.45f * (1 - d) * (1 - d) * (1 + 2 * d));
        }
      }
    for (int i = draw_.below(4); i > 0; --i) strip();
  }

  /// A line across the picture, no object.
  void strip() {
    const float angle = draw_.uniform(0, 3.14f), nx = std::cos(angle), ny = std::sin(angle);
    const float offset = nx * draw_.uniform(0, static_cast<float>(w_)) + ny * draw_.uniform(0, static_cast<float>(h_));
    const float half = static_cast<float>(h_) * draw_.uniform(0.004f, 0.02f);
    const Colour colour = any_colour(0.1f, 0.9f);
    for (int y = 0; y < h_; ++y)
      for (int x = 0; x < w_; ++x) {
        const float d = std::abs(nx * static_cast<float>(x) + ny * static_cast<float>(y) - offset) - half;
        if (d < 0.5f) mix(at(y, x), colour, 0.6f * std::clamp(0.5f - d, 0.0f, 1.0f));
      }
  }

  /// A shape at a place where it hides little of others; none if there is no such place.
  void thing(const SizeRange& size, DetectionSet& set) {
    const int label = draw_.below(classes_);
    const Shape shape = box_classes[static_cast<std::size_t>(label)].shape;
    const float radius = 0.5f * static_cast<float>(h_) * draw_.uniform(size.least, size.most);
    const float angle = draw_.uniform(-0.5f, 0.5f), cosine = std::cos(angle), sine = std::sin(angle);
    const auto distance = [&](float dx, float dy) {
      return radius * distance_to(shape, (cosine * dx + sine * dy) / radius, (cosine * dy - sine * dx) / radius);
    };
    for (int tries = 0; tries < 40; ++tries) {
      const float cx = draw_.uniform(0, static_cast<float>(w_)), cy = draw_.uniform(0, static_cast<float>(h_));
      const int reach = static_cast<int>(1.5f * radius) + 2;
      const int x0 = std::max(0, static_cast<int>(cx) - reach), x1 = std::min(w_, static_cast<int>(cx) + reach);
      const int y0 = std::max(0, static_cast<int>(cy) - reach), y1 = std::min(h_, static_cast<int>(cy) + reach);
      int left = w_, top = h_, right = -1, bottom = -1, area = 0;
      for (int y = y0; y < y1; ++y)
        for (int x = x0; x < x1; ++x)
          if (distance(static_cast<float>(x) + 0.5f - cx, static_cast<float>(y) + 0.5f - cy) <= 0) {
            left = std::min(left, x), right = std::max(right, x), top = std::min(top, y), bottom = std::max(bottom, y);
            ++area;
          }
      // A shape that touches the edge may be cut off.
      if (area == 0 || left == 0 || top == 0 || right == w_ - 1 || bottom == h_ - 1) continue;
      const CocoBox box{static_cast<double>(left), static_cast<double>(top), right - left + 1.0, bottom - top + 1.0};
      const auto others = set.boxes_of(set.size() - 1);
      if (std::any_of(others.begin(), others.end(), [&](const CocoBox& o) { return hidden(box, o) > 0.1; })) continue;
      surface(cx, cy, radius, {x0, y0, x1, y1}, distance);
      set.add(box, {.box = {}, .label = label, .area = static_cast<double>(area)},
              static_cast<std::int64_t>(set.objects.size()) + 1);
      return;
    }
  }

  /// Share of the smaller of two boxes that the other covers.
  static double hidden(const CocoBox& a, const CocoBox& b) {
    const double w = std::min(a.x + a.w, b.x + b.w) - std::max(a.x, b.x);
    const double h = std::min(a.y + a.h, b.y + b.h) - std::max(a.y, b.y);
    return w > 0 && h > 0 ? w * h / std::min(a.w * a.h, b.w * b.h) : 0;
  }

  template <class Distance>
  void surface(float cx, float cy, float radius, const std::array<int, 4>& window, const Distance& distance) {
    const float* ground = at(static_cast<int>(cy), static_cast<int>(cx));
    Colour first = any_colour(0, 1);
    for (int i = 0;
         i < 8 &&
         std::abs(first[0] - ground[0]) + std::abs(first[1] - ground[1]) + std::abs(first[2] - ground[2]) < 0.9f;
         ++i)
      first = any_colour(0, 1);
    Colour second = first;
    const float other = draw_.uniform(0, 1) < 0.5f ? 0.95f : 0.05f;
    for (float& v : second) v += 0.45f * (other - v);
    const Texture texture = static_cast<Texture>(draw_.below(10));
    std::array<std::uint8_t, 64> cells;
    for (std::uint8_t& cell : cells) cell = static_cast<std::uint8_t>(draw_.word());
    const float period = std::max(5.0f, 0.5f * radius);
    for (int y = window[1]; y < window[3]; ++y)
      for (int x = window[0]; x < window[2]; ++x) {
        const float dx = static_cast<float>(x) + 0.5f - cx, dy = static_cast<float>(y) + 0.5f - cy;
        const float inside = std::clamp(0.5f - distance(dx, dy), 0.0f, 1.0f);
        if (inside <= 0) continue;
        const float blend = second_colour(texture, dx / period, dy / period, cells);
        const float shine = 1 - 0.18f * (dx + dy) / radius;  // light from the upper left
        Colour colour;
        for (std::size_t c = 0; c < 3; ++c) colour[c] = shine * (first[c] + blend * (second[c] - first[c]));
        mix(at(y, x), colour, inside);
      }
  }

  void grain() {
    bytes_.resize(3 * plane());
    for (std::size_t i = 0; i < plane(); ++i) {
      const std::uint32_t random = draw_.word();  // a byte per colour
      for (std::size_t c = 0; c < 3; ++c) {
        const float noise = static_cast<float>((random >> (8 * c)) & 0xff) / 255 - 0.5f;
        bytes_[c * plane() + i] =
            static_cast<std::uint8_t>(std::clamp(pixels_[3 * i + c] + 0.07f * noise, 0.0f, 1.0f) * 255 + 0.5f);
      }
    }
  }

  int h_, w_, classes_;
  Draws draw_;
  std::vector<float> pixels_;  // red, green, blue, from 0 to 1
  std::vector<std::uint8_t> bytes_;
};

}  // namespace detail

/// The first n scenes, kept in memory. Scene i does not depend on n; sets of different splits share no scene. Boxes are those
/// of the pixels whose centres a shape holds, its area is their number; a few of them may be hidden by another shape. All
/// shapes lie within their picture.
inline DetectionSet synthetic_boxes(int n, const SceneOpts& opts = {}) {
  constexpr int longest = 4096;
  check(n >= 1 && opts.height >= 64 && opts.width >= 64 && opts.height <= longest && opts.width <= longest,
        "{} synthetic scenes of {} × {} pixels were asked for; expected at least 1, of 64 to {} pixels", n, opts.width,
        opts.height, longest);
  check(opts.classes >= 1 && opts.classes <= most_box_classes,
        "synthetic scenes with {} kinds of shapes were asked for; 1 to {} are there", opts.classes, most_box_classes);
  DetectionSet set{.name = std::string("synthetic shapes ") + name_of(opts.split)};
  for (int c = 0; c < opts.classes; ++c) {
    set.class_names.push_back(detail::box_classes[static_cast<std::size_t>(c)].name);
    set.category_ids.push_back(c + 1);
  }
  const Rng rng(opts.seed, Purpose::synthetic, 32 + static_cast<std::uint64_t>(opts.split));
  for (int i = 0; i < n; ++i) {
    set.add({.file = "scene " + std::to_string(i), .id = i + 1, .height = opts.height, .width = opts.width});
    detail::ScenePainter(opts, Draws(rng, static_cast<std::uint64_t>(i))).paint(set);
  }
  return set;
}

}  // namespace moecnn::data
