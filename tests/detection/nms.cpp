#include "moecnn/detection/nms.hpp"

#include "io/scratch.hpp"
#include "moecnn/detection/iou.hpp"
#include "random_boxes.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::detection;

namespace {

std::vector<int> naive(const std::vector<Detection>& all, float threshold) {
  std::vector<int> order(all.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return all[a].score > all[b].score; });
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return all[a].label < all[b].label; });
  std::vector<int> kept;
  for (const int i : order)
    if (std::none_of(kept.begin(), kept.end(),
                     [&](int k) { return all[k].label == all[i].label && iou(all[k].box, all[i].box) > threshold; }))
      kept.push_back(i);
  return kept;
}

}  // namespace

TEST_CASE("of three boxes the middle one goes") {
  const Box a{0, 0, 10, 10}, b{0, 0, 10, 11}, c{20, 0, 30, 10};
  CHECK(nms(std::vector<Detection>{{a, 1, 0.5f}, {b, 1, 0.4f}, {c, 1, 0.9f}}, 0.5f) == std::vector<int>{2, 0});
  CHECK(nms(std::vector<Detection>{{a, 1, 0.5f}, {b, 0, 0.4f}, {c, 1, 0.9f}}, 0.5f) == std::vector<int>{1, 2, 0});
  CHECK(nms(std::vector<Detection>{{a, 1, 0.5f}, {b, 1, 0.6f}}, 0.5f) == std::vector<int>{1});
  CHECK(nms(std::vector<Detection>{{a, 1, 0.5f}, {b, 1, 0.5f}}, 0.5f) == std::vector<int>{0});
  CHECK(nms({}, 0.5f).empty());
}

TEST_CASE("a box goes only if it overlaps more than the threshold, not as much") {
  const Box a{0, 0, 8, 10}, half{0, 0, 8, 5}, more{0, 0, 8, 5.001f};
  CHECK(nms(std::vector<Detection>{{a, 0, 0.5f}, {half, 0, 0.4f}}, 0.5f).size() == 2);
  CHECK(nms(std::vector<Detection>{{a, 0, 0.5f}, {more, 0, 0.4f}}, 0.5f).size() == 1);
  CHECK(nms(std::vector<Detection>{{a, 0, 0.5f}, {a, 0, 0.4f}}, 1.0f).size() == 2);
}

TEST_CASE("the same boxes in the same order as box by box") {
  for (const int n : {1, 2, 7, 30, 200, 1000})
    for (const int classes : {1, 4})
      for (const float threshold : {0.0f, 0.3f, 0.5f, 0.9f}) {
        const auto all = random_detections(n, classes, n + classes);
        CAPTURE(n);
        CAPTURE(threshold);
        CHECK(nms(all, threshold) == naive(all, threshold));
      }
}

TEST_CASE("boxes of no size, turned inside out, and infinite ones") {
  const float inf = INFINITY;
  const std::vector<Detection> all{
      {{5, 5, 5, 9}, 0, 0.9f},   {{5, 5, 5, 9}, 0, 0.8f},   {{9, 9, 2, 2}, 0, 0.7f},
      {{0, 0, NAN, 1}, 0, 0.6f}, {{0, 0, inf, 1}, 0, 0.5f}, {{0, 0, 9, 9}, 0, NAN},
      {{0, 0, 9, 9}, 0, inf},    {{0, 0, 9, 9}, 0, 0.4f},   {{0, 0, 1e30f, 1e30f}, 0, 0.3f}};
  CHECK(nms(all, 0.5f) == std::vector<int>{0, 1, 2, 7, 8});
  CHECK(has(error_of([&] { nms(all, NAN); }), "more than nan; expected 0 to 1"));
  CHECK(has(error_of([&] { nms(all, 1.5f); }), "more than 1.5; expected 0 to 1"));
}
