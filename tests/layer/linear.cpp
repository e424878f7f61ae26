#include "moecnn/layer/linear.hpp"

#include "check_layer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using test::check_layer;

TEST_CASE("linear: gradients, with and without bias, one row and many") {
  CHECK(check_layer(Linear<5, 3>{}, {4, 1, 1}) == "");
  CHECK(check_layer(Linear<5, 3, Bias::no>{}, {4, 1, 1}) == "");
  CHECK(check_layer(Linear<1, 1>{}, {1, 1, 1}) == "");
  CHECK(check_layer(Linear<70, 300>{}, {40, 1, 1}, {.elements = 1}) == "");  // more than one block of the product
}

TEST_CASE("linear: the number of outputs may be a run-time number") {
  const Graph g = record(test::Alone<Linear<3, dynamic>>{{7}}, {2, 1, 1});
  CHECK(g.edges[g.outputs[0]].channels == 7);
  CHECK(g.params[0].shape == std::vector<int>{7, 3});
  CHECK(test::check_graph(g) == "");
}

TEST_CASE("linear: more than one pixel is refused with the place and what to do") {
  CHECK_THROWS_WITH_AS(record(test::Alone<Linear<3, 2>>{}, {2, 4, 1}),
                       "layer: a linear layer wants one pixel per row and got 4x1; pool first", Error);
  CHECK_THROWS_AS(record(test::Alone<Linear<3, dynamic>>{{0}}, {2, 1, 1}), Error);
}
