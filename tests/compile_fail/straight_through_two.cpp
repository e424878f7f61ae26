// expects: straight-through weights are defined for k = 1 only
// The value of a straight-through weight is 1, so two of them would add up.
#include "moecnn/moe/router.hpp"

moecnn::TopK<2, moecnn::RouterOpts{.weights = moecnn::Weights::straight_through}> misuse;

int main() {}
