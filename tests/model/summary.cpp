#include "moecnn/model/summary.hpp"

#include <doctest/doctest.h>

#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/zoo/cifar_moe.hpp"

using namespace moecnn;

namespace {
bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }
using Study = Model<CifarMoENet, backend::Reference<float>>;
}  // namespace

TEST_CASE("the mixture at position 4: totals, rows of experts, and a loud last line") {
  Study model({.n = 2, .h = 32, .w = 32}, {.training = false}, {.position = 4});
  const std::string text = summary(model.recorded(), model.inference());
  INFO(text);
  CHECK(contains(text, "19,110,344"));
  CHECK(contains(text, "conv1"));
  CHECK(contains(text, "conv 3×3"));
  CHECK(contains(text, "64 × 32 × 32"));
  CHECK(contains(text, "1,769,472"));  // MACs of conv1: 32 · 32 · 64 · 27
  CHECK(contains(text, "layer4.experts.*.0.conv1"));
  CHECK(contains(text, "MIXTURE LAYERS ACTIVE: 1 (layer4: 4 experts, 2 per image)"));
  CHECK(contains(text, "without the plan"));
  CHECK_FALSE(contains(text, "layer4.experts.1"));
}

TEST_CASE("the plain network says so") {
  Study model({.n = 2, .h = 32, .w = 32}, {.training = false}, {.position = 0});
  const std::string text = summary(model.recorded(), model.inference());
  CHECK(contains(text, "NO mixture layer is active"));
  CHECK(contains(text, "11,220,132"));
  CHECK(contains(text, "555,468,800"));
}

TEST_CASE("numbers and names") {
  CHECK(detail::with_commas(0) == "0");
  CHECK(detail::with_commas(999) == "999");
  CHECK(detail::with_commas(1000) == "1,000");
  CHECK(detail::with_commas(-1234567) == "-1,234,567");
  CHECK(op_name(ops::Conv{.kernel = 3, .stride = 2, .residual = true, .relu = true}) == "conv 3×3 /2 + add + relu");
  CHECK(op_name(ops::MaxPool{.kernel = 3, .stride = 2}) == "max pool 3×3 /2");
  CHECK(op_name(ops::BatchNorm{.relu = true}) == "batch norm + relu");
  CHECK(op_name(ops::ConvTranspose{.kernel = 3, .stride = 2}) == "transposed conv 3×3 /2");
  CHECK(op_name(ops::AvgPool{.kernel = {1, 2}, .stride = 1}) == "average pool 1×2");
  CHECK(op_name(ops::Activation{ops::Curve::hard_swish}) == "hard swish");
  CHECK(op_name(ops::Dropout{.p = 0.25, .spatial = true}) == "spatial dropout 0.25");
  CHECK(op_name(ops::Resize{}) == "resize, bilinear");
  CHECK(op_name(ops::ToPatches{PatchGrid::of_count({12, 9}, {2, 3})}) == "to patches 2×3");
  CHECK(op_name(ops::Times{0.25}) == "times 0.25");
  // The last names of the table stand where their operations stand.
  CHECK(op_name(ops::CrossEntropy{}) == "cross-entropy");
  CHECK(op_name(ops::MaxUnpool{}) == "max unpool");
  CHECK(op_name(ops::Scale{}) == "scale");
  CHECK(op_name(ops::FromPatches{}) == "from patches");
  CHECK(op_name(ops::Multiply{}) == "multiply");
}
