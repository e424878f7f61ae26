#pragma once
/// \file
/// Coloured shapes on 32 × 32 pixels, 100 classes in 20 families, made on the spot: something to learn without a
/// download. A family has a pair of colours, a texture and an outline; its five classes are variants of the outline.

#include "moecnn/data/colour.hpp"
#include "moecnn/data/draws.hpp"
#include "moecnn/data/image_set.hpp"
#include "moecnn/data/synthetic_shapes.hpp"
#include "moecnn/data/synthetic_textures.hpp"

namespace moecnn::data {

/// Common to all images of a family.
struct Family {
  const char *texture_name, *colour_name, *shape_name;
  Texture texture;
  Shape shape;
  Colour first, second;
};

inline constexpr int synthetic_classes = 100, synthetic_families = 20, synthetic_side = 32;

// Every texture, colour and outline belongs to two families, so that none of them tells a family alone.
inline constexpr std::array<Family, synthetic_families> families{{
    {"striped", "red", "disc", Texture::striped, Shape::disc, {.86f, .12f, .14f}, {.96f, .93f, .88f}},
    {"checked", "blue", "square", Texture::checked, Shape::square, {.12f, .27f, .84f}, {.96f, .86f, .30f}},
    {"dotted", "green", "triangle", Texture::dotted, Shape::triangle, {.13f, .60f, .22f}, {.95f, .97f, .85f}},
    {"ringed", "orange", "star", Texture::ringed, Shape::star, {.97f, .55f, .08f}, {.16f, .16f, .42f}},
    {"shaded", "violet", "cross", Texture::shaded, Shape::cross, {.44f, .14f, .72f}, {.93f, .66f, .92f}},
    {"speckled", "yellow", "crescent", Texture::speckled, Shape::crescent, {.98f, .88f, .18f}, {.52f, .32f, .10f}},
    {"plain", "teal", "flower", Texture::plain, Shape::flower, {.05f, .62f, .62f}, {.05f, .62f, .62f}},
    {"wavy", "pink", "hourglass", Texture::wavy, Shape::hourglass, {.98f, .50f, .70f}, {.42f, .10f, .46f}},
    {"gridded", "white", "arrow", Texture::gridded, Shape::arrow, {.95f, .95f, .95f}, {.10f, .10f, .12f}},
    {"zigzag", "brown", "heart", Texture::zigzag, Shape::heart, {.47f, .27f, .12f}, {.95f, .88f, .68f}},
    {"striped", "blue", "arrow", Texture::striped, Shape::arrow, {.12f, .27f, .84f}, {.50f, .90f, .97f}},
    {"checked", "pink", "heart", Texture::checked, Shape::heart, {.98f, .50f, .70f}, {.98f, .96f, .96f}},
    {"dotted", "orange", "flower", Texture::dotted, Shape::flower, {.97f, .55f, .08f}, {.10f, .07f, .05f}},
    {"ringed", "green", "hourglass", Texture::ringed, Shape::hourglass, {.13f, .60f, .22f}, {.95f, .92f, .25f}},
    {"shaded", "red", "crescent", Texture::shaded, Shape::crescent, {.86f, .12f, .14f}, {.98f, .86f, .25f}},
    {"speckled", "violet", "star", Texture::speckled, Shape::star, {.44f, .14f, .72f}, {.97f, .95f, .98f}},
    {"plain", "brown", "triangle", Texture::plain, Shape::triangle, {.47f, .27f, .12f}, {.47f, .27f, .12f}},
    {"wavy", "white", "disc", Texture::wavy, Shape::disc, {.95f, .95f, .95f}, {.15f, .35f, .85f}},
    {"gridded", "teal", "cross", Texture::gridded, Shape::cross, {.05f, .62f, .62f}, {.98f, .60f, .12f}},
    {"zigzag", "yellow", "square", Texture::zigzag, Shape::square, {.98f, .88f, .18f}, {.85f, .15f, .12f}},
}};

/// "striped red discs"
inline std::string family_name(int family) {
  const Family& f = families[family];
  return std::string(f.texture_name) + " " + f.colour_name + " " + f.shape_name +
         (f.shape == Shape::cross || f.shape == Shape::hourglass ? "es" : "s");
}

/// "hollow striped red disc"; class c belongs to family c / 5.
inline std::string class_name(int label) {
  constexpr const char* variant[] = {"", "hollow ", "twin ", "slim ", "cut "};
  const Family& f = families[label / 5];
  return std::string(variant[label % 5]) + f.texture_name + " " + f.colour_name + " " + f.shape_name;
}

/// Class of image `index`. Any 100 images from a multiple of 100 on hold every class once, in a shuffled order.
inline int synthetic_label(const Rng& rng, std::uint64_t index) {
  constexpr int steps[] = {3, 7, 11, 13, 17, 19, 23, 27, 29, 31, 33, 37, 39, 41, 43, 47};  // no factor shared with 100
  Draws draw(rng, index / 100, 1u << 16);
  const int step = steps[draw.below(16)], start = draw.below(100);
  return static_cast<int>((index % 100) * step + start) % 100;
}

/// Draws image `index` of class `label` into 3 × 32 × 32 bytes.
inline void draw_synthetic(const Rng& rng, std::uint64_t index, int label, std::uint8_t* out) {
  constexpr int side = synthetic_side, plane = side * side;
  const Family& family = families[label / 5];
  const Variant variant = static_cast<Variant>(label % 5);
  Draws draw(rng, index);

  const float radius = draw.uniform(8.5f, 13.0f);
  const float cx = 15.5f + draw.uniform(-4, 4), cy = 15.5f + draw.uniform(-4, 4);
  const float angle = draw.uniform(-0.45f, 0.45f);
  const float period = draw.uniform(4.6f, 6.4f), shift_x = draw.uniform(0, 1), shift_y = draw.uniform(0, 1);
  const float light = draw.uniform(0.6f, 1.12f), fade = draw.uniform(0, 0.45f);
  const float tilt = draw.uniform(-0.012f, 0.012f);  // light falls from one side, per pixel

  // Colours of the shape drift a little; the background can be any muted colour and has two blots of any colour.
  Colour first, second, back_from, back_to;
  std::array<Colour, 2> blot_colour;
  for (int c = 0; c < 3; ++c) {
    const float drift = draw.uniform(-0.09f, 0.09f);
    first[c] = family.first[c] + drift, second[c] = family.second[c] + drift;
    back_from[c] = draw.uniform(0.15f, 0.85f), back_to[c] = draw.uniform(0.15f, 0.85f);
    for (Colour& blot : blot_colour) blot[c] = draw.uniform(0, 1);
  }
  std::array<std::array<float, 3>, 2> blots;  // x, y, radius
  for (auto& b : blots) b = {draw.uniform(0, 32), draw.uniform(0, 32), draw.uniform(1.5f, 4.5f)};
  std::array<std::uint8_t, 64> cells;
  for (std::size_t i = 0; i < cells.size(); i += 4) {
    const std::uint32_t w = draw.word();
    for (int b = 0; b < 4; ++b) cells[i + b] = static_cast<std::uint8_t>(w >> (8 * b));
  }
  const float noise = draw.uniform(0.02f, 0.10f);

  const float cosine = std::cos(angle), sine = std::sin(angle);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const float dx = static_cast<float>(x) - cx, dy = static_cast<float>(y) - cy;
      const float u = cosine * dx + sine * dy, v = cosine * dy - sine * dx;
      const float inside =
          std::clamp(0.5f - radius * distance_to(family.shape, variant, u / radius, v / radius), 0.f, 1.f);
      const bool about_centre = family.texture == Texture::ringed || family.texture == Texture::shaded;
      const float blend = inside > 0 ? second_colour(family.texture, u / period + (about_centre ? 0 : shift_x),
                                                     v / period + (about_centre ? 0 : shift_y), cells)
                                     : 0;
      const float along = static_cast<float>(x + y) / (2 * side);
      Colour back;
      for (int c = 0; c < 3; ++c) back[c] = back_from[c] + along * (back_to[c] - back_from[c]);
      for (std::size_t b = 0; b < blots.size(); ++b) {
        const float bx = static_cast<float>(x) - blots[b][0], by = static_cast<float>(y) - blots[b][1];
        if (bx * bx + by * by < blots[b][2] * blots[b][2]) back = blot_colour[b];
      }
      const float shine = light + tilt * (dx - dy);
      Colour pixel;
      for (int c = 0; c < 3; ++c) {
        const float front = shine * (first[c] + blend * (second[c] - first[c]));
        pixel[c] = back[c] + inside * (front - back[c]);
      }
      const float grey = fade * (pixel[0] + pixel[1] + pixel[2]) / 3;
      const std::uint32_t grain = draw.word();  // a byte per channel
      for (int c = 0; c < 3; ++c) {
        const float random = static_cast<float>((grain >> (8 * c)) & 0xFF) / 127.5f - 1;
        const float value = pixel[c] * (1 - fade) + grey + noise * random;
        out[c * plane + y * side + x] = static_cast<std::uint8_t>(std::clamp(value, 0.f, 1.f) * 255 + 0.5f);
      }
    }
  }
}

/// The first n images of the training, validation or test sequence of `seed`. Image i does not depend on n.
inline ImageSet synthetic(int n, std::uint64_t seed, Split split) {
  check(n >= 1, "a synthetic set of {} images was asked for; it needs at least 1", n);
  ImageSet set;
  set.n = n;
  set.h = set.w = synthetic_side;
  set.name = std::string("synthetic ") + name_of(split);
  for (int c = 0; c < synthetic_classes; ++c) set.class_names.push_back(class_name(c));
  for (int f = 0; f < synthetic_families; ++f) set.family_names.push_back(family_name(f));
  set.pixels.resize(n * set.image_bytes());
  const Rng rng(seed, Purpose::synthetic, split == Split::train ? 0 : split == Split::test ? 1 : 2);
  for (int i = 0; i < n; ++i) {
    const int label = synthetic_label(rng, static_cast<std::uint64_t>(i));
    set.labels.push_back(label);
    set.families.push_back(label / 5);
    draw_synthetic(rng, static_cast<std::uint64_t>(i), label, set.pixels.data() + i * set.image_bytes());
  }
  return set;
}

}  // namespace moecnn::data
