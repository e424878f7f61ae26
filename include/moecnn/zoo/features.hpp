#pragma once
#include "moecnn/core/value.hpp"

namespace moecnn {

/// Maps of a backbone at 1/8, 1/16 and 1/32 of the image's size, from which a detector builds its pyramid.
template <int C3, int C4, int C5>
struct Features {
  Value<C3> c3;
  Value<C4> c4;
  Value<C5> c5;
};

}  // namespace moecnn
