// expects: could not convert
// expects: Value<8>
// expects: Value<10>
// A net that promises 10 classes and returns 8 channels.
#include "moecnn/layer/conv.hpp"

struct Net {
  static constexpr int in = 3;
  moecnn::Value<10> wire(moecnn::Recorder& g, moecnn::Value<3> image) const {
    return g.global_avg_pool(g("conv", moecnn::Conv<3, 8>{}, image));
  }
};

int main() { moecnn::record(Net{}, {.n = 1, .h = 4, .w = 4}); }
