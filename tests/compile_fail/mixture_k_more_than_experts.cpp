// expects: EnoughExperts
// expects: k = 3
// expects: N = 2
// expects: k must not be larger than the number of experts N
// The same through the layer that users write.
#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"

moecnn::MoE<moecnn::Conv<8, 8>, 2, moecnn::TopK<3>> misuse;

int main() {}
