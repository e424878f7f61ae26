#include "moecnn/model/detect.hpp"

#include "check_layer.hpp"
#include "moecnn/layer/conv.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::test;

namespace {

/// Two levels with 2 anchors per pixel and 3 classes.
struct Detector {
  static constexpr int in = 3;
  bool sigmoid = true;

  struct Result {
    std::vector<int> all;
    std::vector<int> edges() const { return all; }
  };
  Result wire(Recorder& g, Value<3> image) const {
    const auto coarse = g.max_pool(image, {.kernel = 2, .stride = 2});
    Result r;
    for (const auto& x : {image, coarse}) {
      const auto y = g("scores", Conv<3, 6, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x);
      // (sigmoid x)² is a probability as well, and not one that comes from a sigmoid
      r.all.push_back(sigmoid ? g.sigmoid(y).edge : g.square(g.sigmoid(y)).edge);
    }
    for (const auto& x : {image, coarse})
      r.all.push_back(g("deltas", Conv<3, 8, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x).edge);
    return r;
  }
};

Graph with_losses(const DetectionLossOpts& opts, bool sigmoid = true, Extent images = {3, 5, 7}) {
  Graph g = record(Detector{sigmoid}, images);
  Recorder recorder(g);
  task::Detect(opts, 2).losses(recorder, g.outputs[0], 1);
  return g;
}

}  // namespace

TEST_CASE("detect: gradients of both losses, of logits and of probabilities") {
  for (const bool sigmoid : {true, false})
    for (const double clamp : {1e-4, 0.1, 0.0})
      for (const double gamma : {2.0, 1.5, 0.0}) {
        if (!sigmoid && clamp == 0) continue;
        CAPTURE(sigmoid);
        CAPTURE(clamp);
        CAPTURE(gamma);
        CHECK(check_graph(with_losses({.gamma = gamma, .clamp = clamp, .class_factor = 0.7}, sigmoid)) == "");
      }
  CHECK(check_graph(with_losses({.corner = 0, .box_divisor = 1, .box_factor = 3})) == "");
}

TEST_CASE("detect: float agrees with double") {
  for (const bool sigmoid : {true, false})
    CHECK(check_graph_parity<backend::Reference<float>>(with_losses({}, sigmoid, {2, 20, 40})) == "");
}
