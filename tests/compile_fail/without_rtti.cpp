// expects: moecnn needs run-time type information; compile without -fno-rtti
// flags: -fno-rtti
#include "moecnn/moecnn.hpp"

int main() {}
