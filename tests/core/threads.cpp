#include "moecnn/core/threads.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("little work runs on one thread, and on shared cores more of it does") {
  using detail::worth_sharing;
  for (const Cores cores : {Cores::own, Cores::shared}) {
    CHECK(!worth_sharing(0, cores));
    CHECK(!worth_sharing(8 * 1024, cores));
    CHECK(worth_sharing(8LL << 20, cores));
  }
  CHECK(worth_sharing(100'000, Cores::own));
  CHECK(!worth_sharing(100'000, Cores::shared));

  detail::whose_cores = Cores::shared;
  CHECK(!moecnn::worth_sharing(100'000));
  CHECK(!products_worth_sharing(1'000'000));
  detail::whose_cores = Cores::own;
  CHECK(moecnn::worth_sharing(100'000));
  CHECK(products_worth_sharing(1'000'000));
  CHECK(!products_worth_sharing(100'000));

  CHECK(!primitive_worth_sharing(1'000'000));
  CHECK(primitive_worth_sharing(10'000'000));
}

TEST_CASE("numbers of threads are those of OpenMP") {
  CHECK(thread_count() >= 1);
  CHECK(thread_number() == 0);
  CHECK(!in_parallel_region());
}
