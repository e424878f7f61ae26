// expects: kernel, stride and dilation must be at least 1
#include "moecnn/layer/conv.hpp"

moecnn::Conv<8, 8, moecnn::ConvOpts{.kernel = 3, .stride = 0}> misuse;

int main() {}
