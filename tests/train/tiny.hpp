#pragma once
// A network, data and options small enough to train in milliseconds.

#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/data/loader.hpp"
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/train/trainer.hpp"

struct TinyExpert {
  static constexpr int in = 6, out = 6;
  moecnn::Value<6> wire(moecnn::Recorder& g, moecnn::Value<6> x) const {
    auto y = g("conv", moecnn::Conv<6, 6, moecnn::ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    return g.relu(g("bn", moecnn::BatchNorm<6>{}, y));
  }
};

/// conv1, bn1, a mixture of three experts named "mix", fc; 4 classes.
template <class Balance = moecnn::balance::Importance, class Constraint = moecnn::constraint::RelativeImportance>
struct TinyNet {
  static constexpr int in = 3, out = 4;
  using Mix = moecnn::MoE<TinyExpert, 3, moecnn::TopK<2>, moecnn::gate::GapLinear, Balance, Constraint>;
  moecnn::Value<4> wire(moecnn::Recorder& g, moecnn::Value<3> image) const {
    auto x = g("conv1", moecnn::Conv<3, 6, moecnn::ConvOpts{.kernel = 3, .stride = 2, .pad = 1}>{}, image);
    x = g.relu(g("bn1", moecnn::BatchNorm<6>{}, x));
    return g("fc", moecnn::Linear<6, 4>{}, g.global_avg_pool(g("mix", Mix{}, x)));
  }
};
using Net = TinyNet<>;
using TinyModel = moecnn::Model<Net, moecnn::backend::Reference<float>>;

/// n images of 8 × 8 in 4 classes, each class with its own tint, plus noise.
inline moecnn::data::ImageSet tiny_images(int n, std::uint64_t seed = 1) {
  moecnn::data::ImageSet set;
  set.n = n, set.h = set.w = 8;
  set.name = "tiny";
  set.class_names = {"red", "green", "blue", "grey"};
  const moecnn::Rng rng(seed, moecnn::Purpose::synthetic);
  for (int i = 0; i < n; ++i) {
    const int label = static_cast<int>(rng.below(4, i));
    set.labels.push_back(label);
    for (int c = 0; c < 3; ++c)
      for (int p = 0; p < 64; ++p)
        set.pixels.push_back(static_cast<std::uint8_t>(60 + (c == label ? 90 : 0) + rng.below(100, i, 1 + c * 64 + p)));
  }
  return set;
}

/// Flips and crops, in an order of its own.
inline moecnn::data::LoaderOpts tiny_loader(int batch = 8) {
  return {.batch = batch, .shuffle = true, .augment = {.flip = 0.5f, .crop_pad = 4}, .seed = 5, .threads = 1};
}
inline moecnn::data::LoaderOpts test_loader(int batch = 8) { return {.batch = batch, .threads = 0, .epochs = 1}; }
inline moecnn::ProgressOpts silent() { return {.show = moecnn::ShowProgress::none}; }

/// All values of a store as bytes, state included.
inline std::string bits_of(moecnn::ParamStore& store) {
  std::string bytes;
  for (int i = 0; i < store.size(); ++i) {
    const auto plain = store.read(i);
    bytes.append(reinterpret_cast<const char*>(plain.data()), plain.size() * sizeof(double));
  }
  for (std::size_t s = 0; s < store.states().size(); ++s) {
    const auto state = store.state(static_cast<int>(s));
    bytes.append(reinterpret_cast<const char*>(state.data()), state.size_bytes());
  }
  return bytes;
}
