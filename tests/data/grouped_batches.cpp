#include "moecnn/data/grouped_batches.hpp"

#include <doctest/doctest.h>

#include <set>

#include "../io/scratch.hpp"

using namespace moecnn;
using data::GroupedBatches;

namespace {

using Epoch = std::vector<std::vector<int>>;

Epoch epoch_of(GroupedBatches& batches, int epoch, int batch) {
  Epoch all;
  for (int b = 0; b < batches.per_epoch(); ++b) {
    std::vector<int> samples(static_cast<std::size_t>(batch));
    samples.resize(static_cast<std::size_t>(batches.take({epoch, b}, samples.data())));
    all.push_back(samples);
  }
  return all;
}

const std::vector<int> groups{0, 2, 0, 0, 2, 0, 2, 0, 2, 2, 0};  // 6 of group 0, none of 1, 5 of 2

}  // namespace

TEST_CASE("in order: group by group, each sample once") {
  GroupedBatches batches(groups, 4, false, 0, false);
  CHECK(batches.per_epoch() == 4);
  CHECK(batches.samples_per_epoch() == 11);
  const Epoch expected{{0, 2, 3, 5}, {7, 10}, {1, 4, 6, 8}, {9}};
  CHECK(epoch_of(batches, 0, 4) == expected);
  CHECK(epoch_of(batches, 7, 4) == expected);
}

TEST_CASE("shuffled: by seed and epoch alone, and batches never mix groups") {
  GroupedBatches batches(groups, 4, true, 3, false), again(groups, 4, true, 3, false), other(groups, 4, true, 4, false);
  std::set<Epoch> different;
  std::set<int> first_groups;
  for (int e = 0; e < 20; ++e) {
    const Epoch epoch = epoch_of(batches, e, 4);
    different.insert(epoch);
    first_groups.insert(groups[static_cast<std::size_t>(epoch[0][0])]);
    std::set<int> seen;
    for (const auto& batch : epoch) {
      REQUIRE(!batch.empty());
      for (const int i : batch) {
        seen.insert(i);
        CHECK(groups[static_cast<std::size_t>(i)] == groups[static_cast<std::size_t>(batch[0])]);
      }
    }
    CHECK(seen.size() == 11);
    CHECK(epoch_of(other, e, 4) != epoch);
  }
  CHECK(different.size() == 20);
  CHECK(first_groups.size() == 2);  // neither group always comes first
  for (const int e : {11, 3}) CHECK(epoch_of(again, e, 4) == epoch_of(batches, e, 4));
}

TEST_CASE("what is left of a group can be dropped") {
  GroupedBatches batches(groups, 4, true, 3, true);
  CHECK(batches.per_epoch() == 2);
  CHECK(batches.samples_per_epoch() == 8);
  for (const auto& batch : epoch_of(batches, 0, 4)) CHECK(batch.size() == 4);
  CHECK(has(error_of([] { GroupedBatches(groups, 7, true, 0, true); }),
            "none of 3 groups of samples is as large as a batch of 7"));
  CHECK(has(error_of([] { GroupedBatches(groups, 0, true, 0, true); }), "the batch size is 0"));
}
