// expects: gives the gate no gradient
// The weight of a single expert, renormalised, is always 1.
#include "moecnn/moe/router.hpp"

static_assert(moecnn::CheckRouting<moecnn::TopK<1>, 4>::value);

int main() {}
