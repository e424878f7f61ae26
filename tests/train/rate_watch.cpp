#include "moecnn/train/rate_watch.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace moecnn;

namespace {

/// A record of one second per `images`, in which threads waited for cores for that share of their time; negative: unknown.
struct Record {
  double images, waited;
};

/// The records in which the watch warns, and its last warning.
struct Heard {
  std::vector<int> when;
  std::string text;
};

Heard listen(RateWatch& watch, const std::vector<Record>& records, int threads = 2, double seconds = 1) {
  Heard heard;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& r = records[i];
    const std::string said = watch.add(r.images * seconds, seconds, threads, [&] {
      return r.waited < 0 ? std::optional<CoreTimes>() : CoreTimes{1 - r.waited, r.waited};
    });
    if (!said.empty()) heard.when.push_back(static_cast<int>(i)), heard.text = said;
  }
  return heard;
}
Heard listen(const std::vector<Record>& records, int threads = 2) {
  RateWatch watch;
  return listen(watch, records, threads);
}
std::vector<Record> records(int count, Record r) { return std::vector<Record>(static_cast<std::size_t>(count), r); }
std::vector<Record> operator+(std::vector<Record> a, const std::vector<Record>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("threads that wait for cores from the start are noticed, once") {
  const auto heard = listen(records(40, {16, 0.6}));
  CHECK(heard.when == std::vector<int>{5});  // three stretches of two seconds
  CHECK(heard.text.find("16 images/s") != std::string::npos);
  CHECK(heard.text.find("60 %") != std::string::npos);
  CHECK(heard.text.find("OMP_NUM_THREADS") != std::string::npos);
}

TEST_CASE("a rate that collapses because others take the cores is noticed") {
  const auto heard = listen(records(10, {900, 0.01}) + records(10, {30, 0.5}));
  CHECK(heard.when == std::vector<int>{15});
  CHECK(heard.text.find("900") != std::string::npos);
}

TEST_CASE("a rate that falls for another reason, a short crowd and a single thread are none of its business") {
  CHECK(listen(records(10, {900, 0.01}) + records(20, {30, 0.02})).when.empty());
  CHECK(
      listen(records(6, {900, 0}) + records(4, {30, 0.5}) + records(6, {900, 0}) + records(4, {30, 0.5})).when.empty());
  CHECK(listen(records(40, {16, 0.6}), 1).when.empty());
}

TEST_CASE("where the system does not tell, a third of the best rate tells") {
  CHECK(listen(records(10, {900, -1}) + records(10, {400, -1})).when.empty());
  const auto heard = listen(records(10, {900, -1}) + records(10, {250, -1}));
  CHECK(heard.when == std::vector<int>{15});
  CHECK(heard.text.find("may be using") != std::string::npos);
  CHECK(listen(records(40, {16, -1})).when.empty());  // slow from the start: nothing to compare with
}

TEST_CASE("short records are taken together, and times are asked for once per stretch") {
  RateWatch watch;
  CHECK(listen(watch, records(599, {16, 0.6}), 2, 0.01).when.empty());
  int asked = 0;
  RateWatch counted;
  for (int i = 0; i < 1000; ++i)
    counted.add(1, 0.01, 2, [&] {
      ++asked;
      return std::optional<CoreTimes>(CoreTimes{1, 0});
    });
  CHECK(asked >= 4);
  CHECK(asked <= 5);
}
