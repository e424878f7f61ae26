#pragma once
/// \file
/// Street scenes made on the spot: something to segment without a download. Seen from a car on a straight road that
/// vanishes at the horizon, lined by pavements, houses, trees, poles and signs, with cars and people on it.

#include "moecnn/data/draws.hpp"
#include "moecnn/data/scene_canvas.hpp"

namespace moecnn::data {

/// Classes of the generated scenes, most common first.
enum class StreetClass { road, sky, building, pavement, car, tree, person, pole, sign, rider };

inline constexpr int most_street_classes = 10;

namespace detail {

/// One scene. Lengths are in heights of the image, heights above the ground too; `depth` is 1 at the lower edge and grows
/// with the distance.
class StreetPainter {
 public:
  StreetPainter(SceneCanvas& canvas, Draws draw, int classes) : canvas_(canvas), draw_(draw), classes_(classes) {
    horizon_ = draw_.uniform(0.34f, 0.5f);
    aspect_ = static_cast<float>(canvas.width()) / static_cast<float>(canvas.height());
    vanish_ = aspect_ * draw_.uniform(0.4f, 0.6f);
    half_road_ = draw_.uniform(0.5f, 0.75f);
    pavement_ = draw_.uniform(0.15f, 0.3f);
    light_ = draw_.uniform(0.7f, 1.1f);
  }

  void paint() {
    ground();
    houses();
    // Distant objects are painted first and covered by near ones.
    const int things = 9 + draw_.below(8);
    std::vector<float> depths;
    for (int i = 0; i < things; ++i) depths.push_back(1.15f + 6 * draw_.uniform(0, 1) * draw_.uniform(0, 1));
    std::sort(depths.rbegin(), depths.rend());
    for (float depth : depths) thing(depth);
    // The bonnet of the car that one sits in belongs to no class.
    if (draw_.uniform(0, 1) < 0.5f)
      canvas_.ellipse(aspect_ / 2, 1.06f, aspect_ * 0.45f, 0.12f, shaded({0.2f, 0.2f, 0.25f}), ignore_label);
  }

 private:
  bool has(StreetClass c) const { return static_cast<int>(c) < classes_; }
  static std::uint8_t id(StreetClass c) { return static_cast<std::uint8_t>(c); }
  Colour shaded(Colour c, float drift = 0.06f) {
    for (float& v : c) v = light_ * v + draw_.uniform(-drift, drift);
    return c;
  }
  Colour any_colour() { return {draw_.uniform(0, 1), draw_.uniform(0, 1), draw_.uniform(0, 1)}; }

  /// Where a point of the ground is seen: `side` from the middle of the road, at `depth`.
  float x_at(float side, float depth) const { return vanish_ + (aspect_ / 2 - vanish_ + side) / depth; }
  float y_at(float depth) const { return horizon_ + (1 - horizon_) / depth; }

  void ground() {
    const float right = aspect_;
    canvas_.rectangle(0, 0, right, horizon_, shaded({0.5f, 0.7f, 0.95f}), id(StreetClass::sky));
    const auto beside = has(StreetClass::pavement) ? StreetClass::pavement : StreetClass::road;
    canvas_.rectangle(0, horizon_, right, 1, shaded({0.62f, 0.56f, 0.55f}), id(beside));
    canvas_.wedge(vanish_, horizon_, x_at(-half_road_, 1), x_at(half_road_, 1), 1, shaded({0.33f, 0.33f, 0.36f}),
                  id(StreetClass::road));
    const Colour paint = shaded({0.9f, 0.9f, 0.85f});
    for (float depth = 1 + draw_.uniform(0, 0.3f); depth < 8; depth *= 1.5f)  // dashes in the middle of the road
      canvas_.rectangle(x_at(-0.015f, depth), y_at(depth * 1.2f), x_at(0.015f, depth), y_at(depth), paint,
                        id(StreetClass::road));
  }

  /// Houses in rows on both sides, the far ones lower; gaps show the sky.
  void houses() {
    if (!has(StreetClass::building)) return;
    for (float side : {-1.0f, 1.0f})
      for (float depth = 6; depth > 0.6f; depth *= draw_.uniform(0.62f, 0.85f)) {
        if (draw_.uniform(0, 1) < 0.15f) continue;
        const float height = draw_.uniform(0.35f, 0.8f), width = draw_.uniform(0.6f, 1.1f) / depth;
        const float inner = x_at(side * (half_road_ + pavement_ + 0.05f), depth);
        const float left = side < 0 ? inner - width : inner, ground = y_at(depth);
        const float top = ground - height / depth;
        canvas_.rectangle(left, top, left + width, ground, shaded(wall_colours[draw_.below(5)]),
                          id(StreetClass::building));
        const Colour window = shaded({0.2f, 0.25f, 0.35f});
        const float pitch = 0.14f / depth;
        for (float y = top + pitch / 2; y + pitch < ground; y += pitch)
          for (float x = left + pitch / 2; x + pitch < left + width; x += pitch)
            canvas_.rectangle(x, y, x + pitch / 2, y + 0.6f * pitch, window, id(StreetClass::building));
      }
  }

  void thing(float depth) {
    const float side = draw_.uniform(0, 1) < 0.5f ? -1.0f : 1.0f, kind = draw_.uniform(0, 1);
    const float kerb = side * (half_road_ + pavement_ * draw_.uniform(0.15f, 0.9f));
    if (kind < 0.35f)
      car(side * half_road_ * draw_.uniform(0.25f, 0.8f), depth);
    else if (kind < 0.5f)
      person(kerb, depth, StreetClass::person);
    else if (kind < 0.6f)
      person(side * half_road_ * draw_.uniform(0.6f, 0.95f), depth, StreetClass::rider);
    else if (kind < 0.8f)
      tree(kerb, depth);
    else
      pole(kerb, depth);
  }

  void car(float side, float depth) {
    if (!has(StreetClass::car)) return;
    const float x = x_at(side, depth), y = y_at(depth), s = 0.2f / depth;
    const Colour paint = shaded(any_colour()), glass = shaded({0.15f, 0.2f, 0.25f}), tyre{0.05f, 0.05f, 0.05f};
    const std::uint8_t car = id(StreetClass::car);
    canvas_.rectangle(x - 0.8f * s, y - 0.2f * s, x - 0.5f * s, y + 0.02f * s, tyre, car);
    canvas_.rectangle(x + 0.5f * s, y - 0.2f * s, x + 0.8f * s, y + 0.02f * s, tyre, car);
    canvas_.rectangle(x - 0.7f * s, y - 1.2f * s, x + 0.7f * s, y - 0.6f * s, paint, car);
    canvas_.rectangle(x - 0.58f * s, y - 1.1f * s, x + 0.58f * s, y - 0.7f * s, glass, car);
    canvas_.rectangle(x - 0.95f * s, y - 0.7f * s, x + 0.95f * s, y - 0.12f * s, paint, car);
    for (float light : {-0.75f, 0.75f})
      canvas_.ellipse(x + light * s, y - 0.5f * s, 0.12f * s, 0.09f * s, {0.9f, 0.15f, 0.1f}, car);
  }

  void person(float side, float depth, StreetClass what) {
    if (!has(what)) return;
    const float x = x_at(side, depth), y = y_at(depth), s = 0.26f / depth;
    const Colour coat = shaded(any_colour()), legs = shaded({0.15f, 0.15f, 0.3f});
    const Colour skin = shaded({0.8f, 0.6f, 0.5f});
    if (what == StreetClass::rider) {
      canvas_.ellipse(x, y - 0.2f * s, 0.1f * s, 0.2f * s, {0.1f, 0.1f, 0.1f}, id(what));
      canvas_.ellipse(x, y - 0.2f * s, 0.05f * s, 0.13f * s, shaded({0.6f, 0.6f, 0.6f}), id(what));
    }
    canvas_.rectangle(x - 0.1f * s, y - 0.5f * s, x - 0.02f * s, y, legs, id(what));
    canvas_.rectangle(x + 0.02f * s, y - 0.5f * s, x + 0.1f * s, y, legs, id(what));
    canvas_.ellipse(x, y - 0.65f * s, 0.17f * s, 0.25f * s, coat, id(what));
    canvas_.ellipse(x, y - 0.97f * s, 0.09f * s, 0.11f * s, skin, id(what));
  }

  void tree(float side, float depth) {
    if (!has(StreetClass::tree)) return;
    const float x = x_at(side, depth), y = y_at(depth), s = draw_.uniform(0.3f, 0.5f) / depth;
    canvas_.rectangle(x - 0.05f * s, y - 0.8f * s, x + 0.05f * s, y, shaded({0.35f, 0.22f, 0.1f}),
                      id(StreetClass::tree));
    for (int i = 0; i < 5; ++i)
      canvas_.ellipse(x + s * draw_.uniform(-0.3f, 0.3f), y - s * draw_.uniform(0.8f, 1.4f), 0.3f * s, 0.28f * s,
                      shaded({0.15f, 0.45f, 0.15f}, 0.1f), id(StreetClass::tree));
  }

  void pole(float side, float depth) {
    if (!has(StreetClass::pole)) return;
    const float x = x_at(side, depth), y = y_at(depth), s = 0.6f / depth, half = std::max(0.012f / depth, 0.004f);
    canvas_.rectangle(x - half, y - s, x + half, y, shaded({0.55f, 0.55f, 0.5f}), id(StreetClass::pole));
    if (!has(StreetClass::sign) || draw_.uniform(0, 1) < 0.3f) return;
    const float r = 0.06f / depth;
    if (draw_.uniform(0, 1) < 0.5f) {
      canvas_.ellipse(x, y - s, r, r, {0.85f, 0.1f, 0.1f}, id(StreetClass::sign));
      canvas_.ellipse(x, y - s, 0.6f * r, 0.6f * r, {0.95f, 0.95f, 0.95f}, id(StreetClass::sign));
    } else {
      canvas_.rectangle(x - r, y - s - r, x + r, y - s + r, {0.1f, 0.25f, 0.8f}, id(StreetClass::sign));
    }
  }

  static constexpr std::array<Colour, 5> wall_colours{
      {{0.72f, 0.45f, 0.35f}, {0.75f, 0.68f, 0.5f}, {0.6f, 0.5f, 0.45f}, {0.8f, 0.78f, 0.72f}, {0.55f, 0.35f, 0.3f}}};

  SceneCanvas& canvas_;
  Draws draw_;
  int classes_;
  float horizon_, aspect_, vanish_, half_road_, pavement_, light_;
};

}  // namespace detail

/// The first `classes` kinds of things, with their colours.
inline void use_synthetic_street_classes(SegmentationSet& set, int classes = most_street_classes) {
  check(classes >= 3 && classes <= most_street_classes,
        "synthetic scenes of {} classes were asked for; 3 to {} are there", classes, most_street_classes);
  set.class_names = {"road", "sky", "building", "pavement", "car", "tree", "person", "pole", "sign", "rider"};
  set.palette = {{128, 64, 128}, {70, 130, 180}, {70, 70, 70},    {244, 35, 232}, {0, 0, 142},
                 {107, 142, 35}, {220, 20, 60},  {153, 153, 153}, {220, 220, 0},  {255, 0, 0}};
  set.class_names.resize(static_cast<std::size_t>(classes));
  set.palette.resize(static_cast<std::size_t>(classes));
}

/// The first n scenes of `seed`, h × w, of the first `classes` kinds of things (3 to 10); kept in memory. Scene i does not
/// depend on n. Sets of different splits share no scene.
inline SegmentationSet synthetic_segmentation(int n, int h, int w, std::uint64_t seed,
                                              int classes = most_street_classes, Split split = Split::train) {
  check(n >= 1 && h >= 8 && w >= 8,
        "{} synthetic scenes of {} × {} pixels were asked for; at least 1 of 8 × 8 is needed", n, w, h);
  SegmentationSet set{.name = std::string("synthetic streets ") + name_of(split)};
  use_synthetic_street_classes(set, classes);
  set.train_ids = plain_train_ids(classes);
  const Rng rng(seed, Purpose::synthetic, 16 + static_cast<std::uint64_t>(split));
  for (int i = 0; i < n; ++i) {
    SceneCanvas canvas(h, w);
    detail::StreetPainter(canvas, Draws(rng, static_cast<std::uint64_t>(i)), classes).paint();
    set.samples.push_back(canvas.finish(Draws(rng, static_cast<std::uint64_t>(i), 1u << 20)));
    const std::string id = "scene " + std::to_string(i);
    set.pairs.push_back({id, id, id});
  }
  return set;
}

}  // namespace moecnn::data
