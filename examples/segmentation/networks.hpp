#pragma once
/// The six networks. Each is compiled in a unit of its own (enet.cpp, …), which does nothing but record it; models,
/// trainers and kernels are compiled once, for AnyNet.

#include <moecnn/model/any_net.hpp>
#include <moecnn/zoo/seg_moe.hpp>

namespace segmentation {

using namespace moecnn;

/// The choices about a network.
struct NetOptions {
  int classes = 19;
  SegMoE moe{};
  bool aux = true;  ///< PSPNet's second head
};

AnyNet enet(const NetOptions& o);
AnyNet erfnet(const NetOptions& o);
AnyNet unet(const NetOptions& o);
AnyNet lraspp(const NetOptions& o);
AnyNet deeplabv3plus(const NetOptions& o);
AnyNet pspnet(const NetOptions& o);

/// A network of the list.
struct NetInfo {
  const char* name;
  const char* title;
  AnyNet (*make)(const NetOptions&);
  int multiple, plus;    ///< sides of images are multiple · n + plus
  const char* aux;       ///< the value that gets a loss of its own, "" if there is none
  const char* backbone;  ///< prefix of the parameters that ImageNet weights fill, "" if there are none
  const char* imagenet;  ///< the same prefix in torchvision's file
};

inline constexpr NetInfo networks[] = {
    {"enet", "ENet", enet, 1, 0, "", "", ""},
    {"erfnet", "ERFNet", erfnet, 8, 0, "", "", ""},
    {"unet", "U-Net", unet, 1, 0, "", "", ""},
    {"lraspp", "LR-ASPP", lraspp, 1, 0, "", "backbone.", "features."},
    {"deeplabv3plus", "DeepLabv3+", deeplabv3plus, 1, 0, "", "backbone.", ""},
    {"pspnet", "PSPNet", pspnet, 8, 1, "aux", "layer", "layer"},
};

/// Throws Error listing the names where there is no such network.
inline const NetInfo& network(std::string_view name) {
  std::string all;
  for (const NetInfo& n : networks) {
    if (name == n.name) return n;
    all += std::string(all.empty() ? "" : ", ") + n.name;
  }
  fail("there is no network called '{}'; choose one of {}", name, all);
}

/// The smallest size that the network takes and `size` fits into.
inline Size2 size_for(const NetInfo& net, Size2 size) {
  const auto side = [&](int s) { return (s - net.plus + net.multiple - 1) / net.multiple * net.multiple + net.plus; };
  return {side(size.h), side(size.w)};
}

/// Numbers of classes that the networks are compiled for: of the data sets, with one more for what is ignored, and few.
template <template <int> class Net, class Make>
AnyNet with_classes(int classes, const Make& make) {
  switch (classes) {
    case 2: return make(Net<2>{});
    case 3: return make(Net<3>{});
    case 5: return make(Net<5>{});
    case 10: return make(Net<10>{});
    case 11: return make(Net<11>{});
    case 12: return make(Net<12>{});
    case 19: return make(Net<19>{});
    case 20: return make(Net<20>{});
    case 21: return make(Net<21>{});
    default:
      fail(
          "this program has networks of 2, 3, 5, 10, 11, 12, 19, 20 and 21 classes, not {}; take the next larger one "
          "(classes that never occur do no harm) or add yours to with_classes() in examples/segmentation/networks.hpp",
          classes);
  }
}

/// For networks whose only member is `moe`.
template <template <int> class Net>
AnyNet with_mixtures(const NetOptions& o) {
  return with_classes<Net>(o.classes, [&](auto net) -> AnyNet {
    net.moe = o.moe;
    return net;
  });
}

}  // namespace segmentation
