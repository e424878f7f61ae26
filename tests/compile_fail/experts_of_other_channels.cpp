// expects: all experts must have the same `in` and the same `out`
// Experts of several types, one of which gives other channels.
#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"

using Two = std::tuple<moecnn::Conv<4, 8>, moecnn::Conv<4, 6>>;

int main() { moecnn::record(moecnn::MoE<Two, 2>{}, {.n = 4, .h = 4, .w = 4}); }
