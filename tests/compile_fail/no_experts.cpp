// expects: a mixture needs at least one expert
#include "moecnn/moe/expert.hpp"
#include "moecnn/moe/moe.hpp"

int main() { moecnn::MoE<moecnn::NarrowBlocks<8, 4, 16>, 0> mixture; }
