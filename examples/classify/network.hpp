#pragma once
/// The network of `classify`.

#include <moecnn/layer/linear.hpp>
#include <moecnn/zoo/cifar_moe.hpp>

namespace classify {

/// ResNet-18 for pictures of 32 pixels and more, with any number of classes and a mixture instead of one of its stages.
/// Parameter names are torchvision's, so that its ImageNet weights fit all but the last layer.
struct PhotoNet {
  static constexpr int in = 3, out = moecnn::dynamic;
  moecnn::CifarMoENet body;  ///< of which the four stages are used
  int classes = 2;

  moecnn::Value<moecnn::dynamic> wire(moecnn::Recorder& g, moecnn::Value<3> image) const {
    const auto x = body.stages(g, moecnn::ResNet18<>::stem(g, image));
    return g("fc", moecnn::Linear<512, moecnn::dynamic>{classes}, g.global_avg_pool(x));
  }
};

}  // namespace classify
