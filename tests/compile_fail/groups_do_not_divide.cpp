// expects: groups must divide both channel counts
#include "moecnn/layer/conv.hpp"

int main() { moecnn::Conv<6, 8, moecnn::ConvOpts{.kernel = 3, .groups = 4}> conv; }
