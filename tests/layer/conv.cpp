#include "moecnn/layer/conv.hpp"

#include "check_layer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using test::check_layer;

TEST_CASE("conv: gradients, extents and passes for every kind of window") {
  CHECK(check_layer(Conv<3, 5>{}, {2, 4, 6}) == "");
  CHECK(check_layer(Conv<3, 5, ConvOpts{.kernel = 3, .pad = 1}>{}, {3, 6, 5}) == "");
  CHECK(check_layer(Conv<2, 3, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>{}, {2, 7, 6}) == "");
  CHECK(check_layer(Conv<2, 3, ConvOpts{.kernel = 3, .bias = true}>{}, {2, 5, 7}) == "");
  CHECK(check_layer(Conv<2, 4, ConvOpts{.kernel = {5, 1}, .pad = {2, 0}}>{}, {2, 7, 3}) == "");
  CHECK(check_layer(Conv<2, 4, ConvOpts{.kernel = {1, 4}, .stride = {1, 3}, .pad = {0, 2}}>{}, {2, 3, 8}) == "");
  CHECK(check_layer(Conv<2, 3, ConvOpts{.kernel = 3, .pad = 2, .dilation = 2}>{}, {2, 6, 8}) == "");
  CHECK(check_layer(Conv<2, 3, ConvOpts{.kernel = 2, .stride = {3, 2}, .dilation = {1, 3}}>{}, {2, 7, 7}) == "");
  CHECK(check_layer(Conv<4, 6, ConvOpts{.kernel = 3, .pad = 1, .groups = 2, .bias = true}>{}, {2, 5, 4}) == "");
  CHECK(check_layer(Conv<4, 4, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .groups = 4}>{}, {3, 6, 6}) == "");
  CHECK(check_layer(Conv<2, 2, ConvOpts{.kernel = 3, .pad = 4}>{}, {1, 2, 1}) == "");  // windows that see padding alone
  CHECK(check_layer(Conv<1, 1, ConvOpts{.bias = true}>{}, {1, 1, 1}) == "");
}

TEST_CASE("conv: first values of weights and bias") {
  const auto first = [](const auto& layer) {
    auto store = std::make_unique<ParamStore>();
    store->adopt(record(test::Alone<std::remove_cvref_t<decltype(layer)>>{layer}, {1, 4, 4}), {});
    store->initialise(7);
    return store;
  };
  using Layer = Conv<4, 8, ConvOpts{.kernel = 3, .bias = true}>;
  const auto plain = first(Layer{}), half = first(Layer{.start = {.weight_scale = 0.5, .bias = -4.5}}),
             zero = first(Layer{.start = {.weight_scale = 0}});
  const int weight = plain->find("layer.weight"), bias = plain->find("layer.bias");
  const auto w = plain->read(weight), h = half->read(weight);
  for (std::size_t i = 0; i < w.size(); ++i) CHECK(h[i] == doctest::Approx(0.5 * w[i]));
  CHECK(half->read(bias) == std::vector<double>(8, -4.5));
  CHECK(zero->read(weight) == std::vector<double>(w.size(), 0.0));
  CHECK(zero->read(bias) == plain->read(bias));
}
