// expects: ChannelsMatch<Wants, C>
// expects: Wants = 12
// expects: Has = 8
// A layer for 12 channels is given a value of 8.
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"

struct Net {
  static constexpr int in = 3;
  moecnn::Value<5> wire(moecnn::Recorder& g, moecnn::Value<3> image) const {
    auto x = g("conv", moecnn::Conv<3, 8>{}, image);
    return g("fc", moecnn::Linear<12, 5>{}, g.global_avg_pool(x));
  }
};

int main() { moecnn::record(Net{}, {.n = 1, .h = 4, .w = 4}); }
