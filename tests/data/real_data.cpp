#include "real_data.hpp"

#include <doctest/doctest.h>

TEST_CASE("MOECNN_DATA that is set but empty is as good as not set") {
  const char* set = std::getenv("MOECNN_DATA");
  const std::string before = set ? set : "";
  ::setenv("MOECNN_DATA", "", 1);
  CHECK(!real_data_root());
  CHECK(!real_data("."));
  ::setenv("MOECNN_DATA", "/", 1);
  CHECK(real_data_root() == "/");
  ::unsetenv("MOECNN_DATA");
  CHECK(!real_data_root());
  if (set) ::setenv("MOECNN_DATA", before.c_str(), 1);
}
