#pragma once
/// RetinaNet on its two backbones. Each is compiled in a unit of its own, which does nothing but record it.

#include <moecnn/model/any_net.hpp>
#include <moecnn/zoo/retinanet.hpp>

namespace detection_program {

using namespace moecnn;

/// The choices about a network.
struct NetOptions {
  int classes = 80;
  RetinaMoE moe{};
};

AnyNet retinanet_resnet18(const NetOptions& o);
AnyNet retinanet_resnet50(const NetOptions& o);

/// Numbers of classes that the networks are compiled for.
template <class Backbone>
AnyNet with_classes(const NetOptions& o) {
  switch (o.classes) {
    case 1: return RetinaNet<1, Backbone>{.moe = o.moe};
    case 2: return RetinaNet<2, Backbone>{.moe = o.moe};
    case 3: return RetinaNet<3, Backbone>{.moe = o.moe};
    case 5: return RetinaNet<5, Backbone>{.moe = o.moe};
    case 10: return RetinaNet<10, Backbone>{.moe = o.moe};
    case 20: return RetinaNet<20, Backbone>{.moe = o.moe};
    case 80: return RetinaNet<80, Backbone>{.moe = o.moe};
    default:
      fail(
          "this program has networks of 1, 2, 3, 5, 10, 20 and 80 classes, not {}; add yours to with_classes() in "
          "examples/detection/networks.hpp",
          o.classes);
  }
}

}  // namespace detection_program
