// expects: ChannelsMatch<Wants, C>
// expects: Wants = 16
// expects: Has = 20
// Maps of 8 and 12 channels make one of 20, which a layer for 16 does not take.
#include "moecnn/layer/conv.hpp"

struct Net {
  static constexpr int in = 3;
  moecnn::Value<5> wire(moecnn::Recorder& g, moecnn::Value<3> image) const {
    const auto a = g("a", moecnn::Conv<3, 8>{}, image);
    const auto b = g("b", moecnn::Conv<3, 12>{}, image);
    return g("c", moecnn::Conv<16, 5>{}, g.concat(a, b));
  }
};

int main() { moecnn::record(Net{}, {.n = 1, .h = 4, .w = 4}); }
