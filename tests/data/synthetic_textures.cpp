#include "moecnn/data/synthetic_textures.hpp"

#include <doctest/doctest.h>

using namespace moecnn::data;

TEST_CASE("every texture stays between the two colours, and all but the plain one use both") {
  std::array<std::uint8_t, 64> cells{};
  for (int i = 0; i < 64; ++i) cells[i] = static_cast<std::uint8_t>(i * 4);
  for (int t = 0; t < 10; ++t) {
    CAPTURE(t);
    float low = 9, high = -9;
    for (float y = -4; y < 4; y += 0.07f)
      for (float x = -4; x < 4; x += 0.07f) {
        const float v = second_colour(Texture(t), x, y, cells);
        low = std::min(low, v), high = std::max(high, v);
      }
    CHECK(low >= 0);
    CHECK(high <= 1);
    if (Texture(t) == Texture::plain)
      CHECK(high == 0);
    else
      CHECK(high - low > 0.9f);
  }
}

TEST_CASE("patterns repeat once per period") {
  const std::array<std::uint8_t, 64> cells{};
  for (Texture t : {Texture::striped, Texture::checked, Texture::dotted, Texture::gridded})
    for (float x = 0.05f; x < 1; x += 0.1f)
      for (float y = 0.05f; y < 1; y += 0.1f)
        CHECK(second_colour(t, x, y, cells) == doctest::Approx(second_colour(t, x + 3, y - 2, cells)).epsilon(1e-4));
  CHECK(second_colour(Texture::striped, 0, 0, cells) == 0);
  CHECK(second_colour(Texture::striped, 0, 0.5f, cells) == 1);
  CHECK(second_colour(Texture::striped, 7.3f, 0.5f, cells) == 1);
  CHECK(second_colour(Texture::checked, 0.5f, 0.5f, cells) == 0);
  CHECK(second_colour(Texture::checked, 0.5f, 0, cells) == 1);
}
