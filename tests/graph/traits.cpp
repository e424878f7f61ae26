// Properties of operations, ops/traits.hpp, and their readers.
#include "moecnn/ops/traits.hpp"

#include "moecnn/graph/graph.hpp"
#include "moecnn/model/op_name.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace moecnn;

namespace {

/// Calls `visit(op)` with one of each operation.
template <std::size_t i = 0, class F>
void for_each_op(const F& visit) {
  if constexpr (i < std::variant_size_v<Op::variant>) {
    visit(Op(std::variant_alternative_t<i, Op::variant>{}));
    for_each_op<i + 1>(visit);
  }
}

template <class F>
std::set<std::string> names_where(const F& holds) {
  std::set<std::string> names;
  for_each_op([&](const Op& op) {
    if (holds(traits_of(op))) names.insert(traits_of(op).name);
  });
  return names;
}

}  // namespace

TEST_CASE("every operation has a name, and its text begins with what it is") {
  int count = 0;
  for_each_op([&](const Op& op) {
    CHECK(std::string(traits_of(op).name).size() > 2);
    CHECK_FALSE(op_name(op).empty());
    ++count;
  });
  CHECK(count == std::variant_size_v<Op::variant>);
  CHECK(op_name(ops::Linear{}) == "linear");
  CHECK(op_name(ops::Conv{.kernel = 3, .dilation = 2, .groups = 4}) == "conv 3×3 dilation 2 groups 4");
  CHECK(op_name(ops::MixedConv{}) == "mixed conv");
}

TEST_CASE("the operations that passes treat apart") {
  using Names = std::set<std::string>;
  CHECK(names_where([](const ops::Traits& t) { return !t.carries_gradient; }) ==
        Names{"constant scores", "random scores", "max-pool indices"});
  CHECK(names_where([](const ops::Traits& t) { return t.full_precision; }) ==
        Names{"images", "constant scores", "random scores", "route", "cross-entropy", "binary cross-entropy",
              "focal loss", "box loss"});
  CHECK(names_where([](const ops::Traits& t) { return t.low_weights; }) ==
        Names{"conv", "transposed conv", "mixed conv", "linear"});
  CHECK(names_where([](const ops::Traits& t) { return t.exact_output; }) == Names{"max-pool indices"});
}
