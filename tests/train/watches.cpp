#include "moecnn/train/watches.hpp"

#include <doctest/doctest.h>

#include "moecnn/train/meter.hpp"

using namespace moecnn;

namespace {

const std::vector<MixtureInfo> mixtures{{"a", 3, 1}, {"b", 4, 2}};

/// Routings of a step in which experts die, come back, are barred, and the first layer collapses for a while.
std::vector<Routing> routings_of(int step) {
  std::vector<Routing> all(2);
  const Rng rng(3, Purpose::other, static_cast<std::uint64_t>(step));
  for (int m = 0; m < 2; ++m) {
    Routing& r = all[m];
    r.resize(8, mixtures[m].experts, mixtures[m].k);
    for (int e = 0; e < r.experts; ++e) {
      const bool away = (e == 2 && step % 40 > 12) || (m == 0 && step % 60 > 25 && e != 1);
      r.load[e] = away ? 0 : 1 + static_cast<int>(rng.below(4, 8 * m + e));
      r.importance[e] = away ? 0 : rng.uniform(100 + 8 * m + e);
      r.barred[e] = away && step % 3 == 0;
    }
  }
  return all;
}

}  // namespace

TEST_CASE("watches that were saved and restored after any step warn as if nothing had happened") {
  constexpr int patience = 7, steps = 200;
  std::vector<std::vector<std::string>> truth;
  Watches whole(mixtures, patience);
  std::size_t count = 0;
  for (int s = 0; s < steps; ++s) {
    whole.add(routings_of(s));
    truth.push_back(whole.warnings());
    count += truth.back().size();
  }
  CHECK(count >= 10);
  for (int stop = 0; stop < steps; ++stop) {
    CAPTURE(stop);
    Watches before(mixtures, patience), after(mixtures, patience);
    for (int s = 0; s < stop; ++s) before.add(routings_of(s)), before.warnings();
    std::copy(before.state().begin(), before.state().end(), after.state().begin());
    after.restore();
    bool same = true;
    for (int s = stop; s < std::min(steps, stop + 60); ++s) {
      after.add(routings_of(s));
      same = same && after.warnings() == truth[s];
    }
    CHECK(same);
  }
}

TEST_CASE("a damaged record of routing is an Error") {
  Watches w(mixtures, 5);
  w.state()[0] = 11;
  CHECK_THROWS_AS(w.restore(), Error);
  w.state()[0] = std::nan("");
  CHECK_THROWS_AS(w.restore(), Error);
}

TEST_CASE("a meter's means and shares") {
  Meter m(mixtures);
  CHECK(m.empty());
  CHECK(m.loss() == 0);
  auto r = routings_of(0);
  r[0].load = {2, 6, 0};
  r[0].importance = {1, 1, 2};
  m.add(8, 2.0, 0.5, 4, 0.5, r);
  m.add(4, 5.0, 0.5, 4, 0.5, r);
  CHECK(m.loss() == doctest::Approx(3));
  CHECK(m.balance_loss() == doctest::Approx(0.5));
  CHECK(m.accuracy() == doctest::Approx(8.0 / 12));
  CHECK(m.images_per_s() == doctest::Approx(12));
  CHECK(m.use()[0].load == std::vector{0.25, 0.75, 0.0});
  CHECK(m.use()[0].importance == std::vector{0.25, 0.25, 0.5});
  Meter copy(mixtures);
  std::copy(m.state().begin(), m.state().end(), copy.state().begin());
  CHECK(copy.loss() == m.loss());
  m.reset();
  CHECK(m.empty());
}
