// expects: the router needs k, noise, verify(), choose() and backward(), see concept Router
#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"

struct Half {
  static constexpr int k = 2;
};
moecnn::MoE<moecnn::Conv<8, 8>, 4, Half> misuse;

int main() {}
