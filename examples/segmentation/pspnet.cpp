#include "networks.hpp"

#include <moecnn/zoo/pspnet.hpp>

moecnn::AnyNet segmentation::pspnet(const NetOptions& o) {
  return with_classes<PspNet>(o.classes, [&](auto net) -> AnyNet {
    net.moe = o.moe;
    net.aux = o.aux;
    return net;
  });
}
