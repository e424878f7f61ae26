#include "moecnn/data/broken_files.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"

using namespace moecnn;
using data::BrokenFiles;

TEST_CASE("up to the share all is well, more stops the run with a list") {
  BrokenFiles broken(200, 0.01);
  broken.add(0, {{7, "g.png is gone"}});
  broken.add(0, {});
  broken.add(0, {{7, "g.png is gone"}, {3, "c.png is cut"}});  // the same one twice counts once
  CHECK(broken.times() == 3);
  const std::string error = error_of([&] { broken.add(0, {{9, "i.png is odd"}}); });
  CHECK(has(error,
            "3 of 200 samples cannot be read, more than the 1 % that are accepted:\n  c.png is cut\n  g.png is gone"
            "\n  i.png is odd\n"));
  CHECK(error_of([&] { broken.check_running(); }) == error);
  broken.restart();
  CHECK_NOTHROW(broken.check_running());
  CHECK(broken.all().size() == 3);
}

TEST_CASE("warnings say what became of a sample, once") {
  BrokenFiles left_out(100, 1), replaced(100, 1, data::Broken::replace);
  for (BrokenFiles* b : {&left_out, &replaced}) b->add(0, {{7, "g.png is gone"}, {7, "g.png is gone"}});
  CHECK(left_out.warnings() == std::vector<std::string>{"left out: g.png is gone"});
  CHECK(replaced.warnings() == std::vector<std::string>{"replaced by another: g.png is gone"});
  CHECK(left_out.warnings().empty());
}

TEST_CASE("every epoch counts anew") {
  BrokenFiles broken(100, 0.01);
  for (int epoch = 0; epoch < 5; ++epoch) CHECK_NOTHROW(broken.add(epoch, {{epoch, "x"}}));
  CHECK(broken.all().size() == 5);
  BrokenFiles strict(1000, 0);
  CHECK(has(error_of([&] { strict.add(0, {{1, "x"}}); }), "1 of 1000 samples"));
  CHECK(has(error_of([] { BrokenFiles b(1, 1.5); }), "is 1.5; it must lie in 0 to 1"));
}
