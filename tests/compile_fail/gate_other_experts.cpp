// expects: Logits<3>
// expects: Logits<4>
// A gate that always scores three experts does not fit a mixture of four.
#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"

struct ThreeScores {
  template <int N, int C>
  moecnn::Logits<3> wire(moecnn::Recorder& g, moecnn::Value<C> x, moecnn::Experts<N>) const {
    return moecnn::logits_of(g("fc", moecnn::Linear<C, 3>{}, g.global_avg_pool(x)));
  }
};

using namespace moecnn;
auto misuse(Recorder& g, Value<8> x) { return g("moe", MoE<Conv<8, 8>, 4, TopK<2>, ThreeScores>{}, x); }

int main() {}
