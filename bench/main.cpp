// The one main() of every benchmark program.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
