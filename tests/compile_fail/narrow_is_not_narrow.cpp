// expects: Mid must differ from both
// A block expert whose inner width is its outer width would have no projection shortcut.
#include "moecnn/moe/expert.hpp"

moecnn::NarrowBlocks<64, 128, 128> misuse;

int main() {}
