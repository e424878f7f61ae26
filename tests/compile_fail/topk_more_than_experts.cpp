// expects: k <= N
// A row cannot be served by five experts of a layer that has four.
#include "moecnn/moe/router.hpp"

static_assert(moecnn::CheckRouting<moecnn::TopK<5>, 4>::value);

int main() {}
