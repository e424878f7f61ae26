// expects: 'moecnn::Value<8>' is not derived from 'moecnn::Indices<C>'
// Unpooling needs indices, not values.
#include "moecnn/layer/conv.hpp"

struct Net {
  static constexpr int in = 3;
  moecnn::Value<8> wire(moecnn::Recorder& g, moecnn::Value<3> image) const {
    const auto x = g("a", moecnn::Conv<3, 8>{}, image);
    const auto y = g.max_pool(x, {});
    return g.max_unpool(y, y, g.size(x));
  }
};

int main() { moecnn::record(Net{}, {.n = 1, .h = 4, .w = 4}); }
