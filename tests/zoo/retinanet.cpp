#include "moecnn/zoo/retinanet.hpp"

#include "moecnn/zoo/resnet.hpp"
#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

using Small = RetinaNet<3, ResNet18<>>;
using Large = RetinaNet<80, ResNet50<>>;
constexpr Extent image{2, 64, 96};

Graph with(HeadMixture kind, constraint::Any constraint = {}) {
  return record(Large{.moe = {.kind = kind, .constraint = constraint}}, {1, 64, 64});
}

}  // namespace

TEST_CASE("RetinaNet: parameters") {
  CHECK(parameter_count(record(Large{}, {1, 64, 64})) == 37'968'692);
  CHECK(parameter_count(record(RetinaNet<80, ResNet18<>>{}, {1, 64, 64})) == 21'410'100);
  CHECK(parameter_count(with(HeadMixture::two_block)) == 58'542'616);
  CHECK(parameter_count(with(HeadMixture::single)) == 57'950'484);
  CHECK(parameter_count(with(HeadMixture::conv4)) == 42'693'436);
}
