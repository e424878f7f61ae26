// expects: deduced conflicting values for non-type parameter 'C' ('8' and '16')
// A sum of maps with 8 and 16 channels.
#include "moecnn/layer/conv.hpp"

struct Net {
  static constexpr int in = 3;
  moecnn::Value<8> wire(moecnn::Recorder& g, moecnn::Value<3> image) const {
    return g.add(g("a", moecnn::Conv<3, 8>{}, image), g("b", moecnn::Conv<3, 16>{}, image));
  }
};

int main() { moecnn::record(Net{}, {.n = 1, .h = 4, .w = 4}); }
