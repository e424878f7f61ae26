#include "moecnn/data/batch_queue.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <vector>

#include "../io/scratch.hpp"

using namespace moecnn;
using data::BatchQueue;
using data::Position;

TEST_CASE("batches are taken in order, filled by many threads and handed out in order") {
  for (int threads : {0, 1, 4}) {
    std::vector<int> taken(BatchQueue::slots_for(3)), filled(taken.size());
    std::vector<int> order;
    BatchQueue queue(
        {.per_epoch = 5, .threads = threads, .prefetch = 3, .epochs = 4},
        [&](int slot, Position p) {
          taken[slot] = p.epoch * 5 + p.batch;
          order.push_back(taken[slot]);  // no lock: this is called by one thread at a time
        },
        [&](int slot) {
          if (taken[slot] % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
          filled[slot] = taken[slot] * 10;
        });
    for (int i = 0; i < 20; ++i) {
      CHECK(queue.position() == Position{i / 5, i % 5});
      const int slot = queue.next();
      REQUIRE(slot >= 0);
      CHECK(filled[slot] == i * 10);
    }
    CHECK(queue.next() == -1);
    CHECK(order.size() == 20);
    for (int i = 0; i < 20; ++i) CHECK(order[i] == i);
  }
}

TEST_CASE("no more is prepared than was asked for") {
  std::atomic<int> begun = 0;
  BatchQueue queue(
      {.per_epoch = 100, .threads = 2, .prefetch = 3}, [](int, Position) {}, [&](int) { ++begun; });
  queue.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK(begun == 4);
}

TEST_CASE("an error arrives with its batch and stays until the caller seeks") {
  for (int threads : {0, 3}) {
    std::vector<int> number(BatchQueue::slots_for(2));
    BatchQueue queue(
        {.per_epoch = 10, .threads = threads, .prefetch = 2}, [&](int slot, Position p) { number[slot] = p.batch; },
        [&](int slot) { check(number[slot] != 2, "batch 2 is bad"); });
    queue.next(), queue.next();
    for (int i = 0; i < 3; ++i) CHECK(error_of([&] { queue.next(); }) == "batch 2 is bad");
    CHECK(queue.position() == Position{0, 2});
    queue.seek({1, 3});
    CHECK(number[queue.next()] == 3);
    CHECK(queue.position() == Position{1, 4});
  }
}

TEST_CASE("nonsense is refused") {
  const auto make = [](BatchQueue::Opts opts) {
    return error_of([&] {
      BatchQueue queue(
          opts, [](int, Position) {}, [](int) {});
    });
  };
  CHECK(has(make({.threads = -1}), "threads is -1"));
  CHECK(has(make({.prefetch = 0}), "prefetch is 0"));
  CHECK(has(make({.epochs = -1}), "epochs is -1"));
  CHECK(make({}) == "");
}
