// expects: moecnn reports errors by exceptions; compile without -fno-exceptions
// flags: -fno-exceptions
#include "moecnn/moecnn.hpp"

int main() {}
