#pragma once
/// \file
/// A network whose type has been forgotten.

#include "moecnn/graph/recorder.hpp"

#include <functional>

namespace moecnn {

/// Any network of colour images: what is left of it is the function that records its graph. A program of many networks
/// compiles Model, Trainer and kernels once, for AnyNet, and each network in a unit of its own:
///
///     AnyNet enet(const SegMoE& moe) { return ENet<19>{.moe = moe}; }
class AnyNet {
 public:
  static constexpr int in = 3;

  AnyNet() = default;
  template <class Net>
    requires(!std::same_as<Net, AnyNet>)
  AnyNet(Net net) : record_([net = std::move(net)](Extent images) { return moecnn::record(net, images); }) {
    static_assert(Net::in == in, "AnyNet: the network must take images of three channels");
  }

  /// The graph for images of this extent. Throws what the network's wire() throws.
  Graph record(Extent images) const {
    check(record_ != nullptr, "an AnyNet that holds no network cannot be recorded; construct it from one");
    return record_(images);
  }

 private:
  std::function<Graph(Extent)> record_;
};

/// Called by Model.
inline Graph record(const AnyNet& net, Extent images) { return net.record(images); }

}  // namespace moecnn
