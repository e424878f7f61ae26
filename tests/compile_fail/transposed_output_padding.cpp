// expects: output padding must be less than the stride or the dilation
#include "moecnn/layer/conv_transpose.hpp"

moecnn::ConvTranspose<8, 8, moecnn::ConvTransposeOpts{.kernel = 3, .stride = 2, .out_pad = 2}> misuse;

int main() {}
