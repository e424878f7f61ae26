// expects: the tuple must have N types
// Three experts, two types.
#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"

using Two = std::tuple<moecnn::Conv<4, 8>, moecnn::Conv<4, 8>>;

int main() { moecnn::record(moecnn::MoE<Two, 3>{}, {.n = 4, .h = 4, .w = 4}); }
