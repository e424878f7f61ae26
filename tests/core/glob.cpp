#include "moecnn/core/glob.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("patterns: * is any run of characters, dots included, ? is one, others are themselves") {
  CHECK(glob_matches("layer1.*", "layer1.0.conv1.weight"));
  CHECK(glob_matches("*.bias", "fc.bias"));
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("layer?.*.weight", "layer4.1.bn2.weight"));
  CHECK(glob_matches("fc.weight", "fc.weight"));
  CHECK(glob_matches("a*b*c", "axxbyyc"));
  CHECK(glob_matches("", ""));
  CHECK_FALSE(glob_matches("layer1.*", "layer10.0.conv1.weight"));
  CHECK_FALSE(glob_matches("*.bias", "bias"));
  CHECK_FALSE(glob_matches("fc", "fc.weight"));
  CHECK_FALSE(glob_matches("?", ""));
  CHECK_FALSE(glob_matches("", "x"));
  CHECK_FALSE(glob_matches("a*b*c", "axxcyyb"));
}

TEST_CASE("patterns: the distance counts what has to change") {
  CHECK(glob_distance("layr1.*", "layer1.0.conv1.weight") == 1);
  CHECK(glob_distance("kitten", "sitting") == 3);
  CHECK(glob_distance("abc", "") == 3);
  CHECK(glob_distance("", "abc") == 3);
  CHECK(glob_distance("x*", "abc") == 1);
  CHECK(closest_names("layr1.*", {"fc.bias", "layer1.0.weight", "conv1.weight", "layer2.0.weight"}) ==
        "layer1.0.weight, layer2.0.weight, conv1.weight");
  CHECK(closest_names("x", {}) == "");
}
