#pragma once
/// \file
/// Upcycling: a layer that has been trained becomes the experts of a mixture (Komatsuzaki et al., "Sparse Upcycling",
/// 2023).

#include "moecnn/model/param_store.hpp"

#include <functional>

namespace moecnn {

/// The noise that makes the copies differ.
struct UpcycleOpts {
  enum class Scale : unsigned char {
    absolute,  ///< deviation `noise` for every number
    relative   ///< deviation `noise` times the standard deviation of the tensor's own numbers
  };
  double noise = 0.1;  ///< 0: exact copies, which stay equal for as long as they get the same gradients
  Scale scale = Scale::absolute;
  std::uint64_t seed = 42;
};

/// The tensors of a trained network by name: fills `plain`, row-major, or answers false where it has none of that name.
using TrainedTensors = std::function<bool(const std::string& name, std::vector<double>& plain)>;

/// The tensors of another network of the same process.
inline TrainedTensors tensors_of(const ParamStore& store) {
  return [&store](const std::string& name, std::vector<double>& plain) {
    const int i = store.find(name);
    if (i >= 0) plain = store.read(i);
    return i >= 0;
  };
}

/// The name that an expert's parameter has in a network with the layer instead of the mixture:
/// "head.experts.2.conv1.weight" → "head.conv1.weight". Empty where the name has no ".experts.NUMBER.".
inline std::string name_without_expert(std::string_view name) {
  constexpr std::string_view key = ".experts.";
  for (auto at = name.find(key); at != name.npos; at = name.find(key, at + 1)) {
    const auto digits = at + key.size();
    const auto end = name.find_first_not_of("0123456789", digits);
    if (end != digits && end != name.npos && name[end] == '.')
      return std::string(name.substr(0, at)) + std::string(name.substr(end));
  }
  return {};
}

/// Fills every expert of the mixture `layer` ("layer4", "regressionModel.conv4"; "": of all mixtures) with the layer of
/// that name in `trained`, plus Gaussian noise on what is trained, different for every expert; buffers are copied.
/// Gates stay as they are. Works for any layer that an expert can be. Throws Error that lists every tensor that is
/// missing or of another size, and then nothing has changed. Returns the number of tensors that were written.
inline int upcycle(ParamStore& store, const TrainedTensors& trained, const std::string& layer = "",
                   const UpcycleOpts& opts = {}) {
  check(opts.noise >= 0 && std::isfinite(opts.noise), "the noise of upcycling is {}; give a number of at least 0",
        opts.noise);
  std::vector<std::pair<int, std::string>> experts;
  std::vector<double> plain;
  std::string missing;
  for (int i = 0; i < store.size(); ++i) {
    const ParamSpec& p = store.spec(i);
    const std::string name = name_without_expert(p.name);
    if (name.empty() || !(layer.empty() || p.name.starts_with(layer + ".experts."))) continue;
    experts.emplace_back(i, name);
    if (!trained(name, plain))
      missing += "\n  " + name + " is missing";
    else if (static_cast<long long>(plain.size()) != p.elements())
      missing += formatted("\n  {} has {} numbers, {} has {}", name, plain.size(), p.name, p.elements());
  }
  check(!experts.empty(), "the network has no mixture{}; upcycling fills the experts of one",
        layer.empty() ? std::string() : " named \"" + layer + '"');
  check(missing.empty(), "these layers cannot become experts:{}\nTake them from a network that has them in its place.",
        missing);
  for (const auto& [i, name] : experts) {
    const ParamSpec& p = store.spec(i);
    trained(name, plain);
    double deviation = p.trained ? opts.noise : 0;
    if (opts.scale == UpcycleOpts::Scale::relative) {
      double mean = 0, square = 0;
      for (double v : plain) mean += v / static_cast<double>(plain.size());
      for (double v : plain) square += (v - mean) * (v - mean) / static_cast<double>(plain.size());
      deviation *= std::sqrt(square);
    }
    const Rng rng(opts.seed, Purpose::init, hash_name(p.name));
    for (std::size_t j = 0; deviation > 0 && j < plain.size(); ++j) plain[j] += deviation * rng.normal(j);
    store.write(i, plain.data());
  }
  return static_cast<int>(experts.size());
}

}  // namespace moecnn
