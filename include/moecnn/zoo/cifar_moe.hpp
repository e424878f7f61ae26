#pragma once
#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/res_block_moe.hpp"
#include "moecnn/zoo/resnet.hpp"

namespace moecnn {

/// Every network of the CIFAR-100 study in one type: ResNet-18 with the mixture at a position chosen at run time, so a
/// study program compiles one network and not one per combination.
struct CifarMoENet {
  static constexpr int in = 3, out = 100;

  template <class Expert>
  using Stage = ResBlockMoE<Expert, dynamic, TopK<dynamic>, gate::Any, balance::Any, constraint::Any>;

  int position = 4;  ///< stage that the mixture replaces, 1 to 4; 0 = plain ResNet-18
  int experts = 4;
  int k = 2;
  gate::Any gate{};
  balance::Any balance{};
  constraint::Any constraint{};
  Noise noise = Noise::learned;

  Value<100> wire(Recorder& g, Value<3> image) const {
    return CifarResNet18<100>::head(g, stages(g, CifarResNet18<100>::stem(g, image)));
  }

  /// The four stages alone, for networks with another stem or another number of classes.
  Value<512> stages(Recorder& g, Value<64> a) const {
    check(position >= 0 && position <= 4, "position {} is no stage of ResNet-18; choose 1 to 4, or 0 for the plain net",
          position);
    const auto b = stage<1, ResStage<64, 64>, NarrowBlocks<64, 25, 64>>(g, a);
    const auto c = stage<2, ResStage<64, 128>, NarrowBlocks<64, 50, 128>>(g, b);
    const auto d = stage<3, ResStage<128, 256>, NarrowBlocks<128, 90, 256>>(g, c);
    return stage<4, ResStage<256, 512>, NarrowBlocks<256, 180, 512>>(g, d);
  }

 private:
  template <int Position, class Plain, class Expert>
  Value<Plain::out> stage(Recorder& g, Value<Plain::in> x) const {
    constexpr char name[] = {'l', 'a', 'y', 'e', 'r', '0' + Position, '\0'};
    if (position != Position) return g(name, Plain{}, x);
    Stage<Expert> mixture;
    mixture.mixture.experts = experts;
    mixture.mixture.router.k = k;
    mixture.mixture.router.noise = noise;
    mixture.mixture.gate = gate;
    mixture.mixture.balance = balance;
    mixture.mixture.constraint = constraint;
    return g(name, mixture, x);
  }
};

}  // namespace moecnn
