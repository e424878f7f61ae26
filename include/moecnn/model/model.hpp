#pragma once
/// \file
/// A network on a backend: one parameter store, and programs for training and inference that share it.

#include "moecnn/graph/passes/drop_dropout.hpp"
#include "moecnn/graph/passes/drop_unused.hpp"
#include "moecnn/graph/passes/fold_batch_norm.hpp"
#include "moecnn/graph/passes/fuse_conv_activation.hpp"
#include "moecnn/graph/passes/fuse_norm_activation.hpp"
#include "moecnn/graph/passes/mix_linear_experts.hpp"
#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/graph/recorder.hpp"
#include "moecnn/model/program.hpp"

#include <map>

namespace moecnn {

/// A value of the network that training adds a loss to, with the same labels, class weights and ignored label as the
/// network's result. Inference drops what only such values need.
struct Auxiliary {
  std::string value;  ///< its name, e.g. "aux"
  double factor = 0.4;
};

struct ModelOpts {
  std::uint64_t seed = 42;                 ///< initial weights and gate noise
  std::vector<std::string> keep = {};      ///< values that stay readable after a run, by name, e.g. "layer3"
  LossOpts loss = {};                      ///< of the network's result: ignored label, class weights
  std::vector<Auxiliary> auxiliary = {};   ///< further values with a loss, such as the logits of an auxiliary head
  bool training = true;                    ///< false: no gradients are ever made; training() is an error
  bool mix_linear_experts = true;          ///< experts that are one convolution: mix their kernels where that pays
  Rebuild rebuild = Rebuild::where_cheap;  ///< memory of training for time, see graph/plan.hpp
  /// Limit for parameters, gradients, activations and the optimiser's moments. More is refused with a sentence before
  /// it is allocated. MemoryLimit::none() switches the check off.
  MemoryLimit memory = MemoryLimit::system();
};

/// Owns parameters and programs. A program is made when first asked for and kept: one per batch size, and for inference
/// per extent of the images and k. All of them see the same parameters; the memory of activations is shared, so what one
/// run left behind is gone after the next.
template <class Net, class Backend>
class Model {
 public:
  using T = typename Backend::scalar;
  using ProgramType = Program<Backend>;

  /// `images`: the batch size and image size that the model is made for; other batch sizes can be asked for later.
  explicit Model(Extent images, ModelOpts opts = {}, Net net = {})
      : net_(std::move(net)), images_(images), opts_(std::move(opts)) {
    store_.limit_memory(opts_.memory);
    // The training program decides how parameters are stored, since it is the one that changes them.
    if (opts_.training)
      training();
    else
      adopt_for_inference();
    store_.initialise(opts_.seed);
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const Net& net() const { return net_; }
  const ModelOpts& opts() const { return opts_; }
  Extent images() const { return images_; }
  ParamStore<T>& params() { return store_; }
  const ParamStore<T>& params() const { return store_; }

  /// The graph as recorded, before any pass.
  Graph recorded(int rows = 0) const { return record(net_, with_rows(rows)); }

  /// Training for batches of `rows` images (0: the size given at construction), cross-entropy loss included.
  ProgramType& training(int rows = 0) {
    check(opts_.training, "this model was made for inference; construct it with .training = true to train it");
    auto& slot = training_[rows == 0 ? images_.n : rows];
    if (!slot) {
      Graph g = recorded(rows);
      Recorder recorder(g);
      g.outputs.push_back(recorder.cross_entropy(g.outputs[0], opts_.loss));
      for (const Auxiliary& a : opts_.auxiliary) {
        LossOpts loss = opts_.loss;
        loss.factor = a.factor;
        recorder.cross_entropy(edges(g, {a.value})[0], loss);
      }
      const std::vector<int> keep = edges(g, opts_.keep);
      if (opts_.mix_linear_experts) passes::mix_linear_experts(g, keep);
      passes::fuse_norm_activation(g, keep);
      slot = std::make_unique<ProgramType>(std::move(g), store_, arena_,
                                           ProgramOpts{.training = true, .keep = keep, .rebuild = opts_.rebuild});
    }
    return *slot;
  }

  /// Inference for `rows` images (0: the size given at construction) with `k` active experts (0: as built; every_expert:
  /// all of each mixture, as equal weights want it): batch norm folded, nothing saved, no noise. Each has folded weights of its own, so only the last few programs are kept: the
  /// reference is good until three others have been asked for.
  ProgramType& inference(int rows = 0, int k = 0) { return inference(with_rows(rows), k); }

  /// The same for images of another size than those of training.
  ProgramType& inference(Extent images, int k = 0) {
    const std::pair<Extent, int> key{images, k};
    const auto known = std::find_if(inference_.begin(), inference_.end(), [&](auto& p) { return p.first == key; });
    if (known != inference_.end()) {
      std::rotate(known, known + 1, inference_.end());  // the last one is the one used last
    } else {
      if (inference_.size() == 4) inference_.erase(inference_.begin());
      inference_.emplace_back(key, nullptr);
    }
    auto& slot = inference_.back().second;
    if (!slot) {
      Graph g = record(net_, images);
      if (k != 0) passes::set_k(g, k);
      const std::vector<int> keep = edges(g, opts_.keep);
      if (opts_.mix_linear_experts) passes::mix_linear_experts(g, keep);
      passes::drop_dropout(g, keep);
      passes::fuse_norm_activation(g, keep);
      passes::fold_batch_norm(g, keep);
      passes::fuse_conv_activation(g, keep);
      passes::drop_unused(g, /*drop_noise=*/true, keep);
      slot = std::make_unique<ProgramType>(std::move(g), store_, arena_, ProgramOpts{.keep = keep});
    }
    return *slot;
  }

  std::size_t arena_bytes() const { return arena_.bytes(); }

 private:
  Extent with_rows(int rows) const { return {rows == 0 ? images_.n : rows, images_.h, images_.w}; }

  /// Without a training program nothing has chosen layouts: plain ones, which every inference program can read.
  void adopt_for_inference() {
    const Graph g = recorded();
    check_memory({.parameters = ParamStore<T>::places(g.params, {}).all * sizeof(T)}, opts_.memory, "the network");
    store_.adopt(g, {});
  }

  static std::vector<int> edges(const Graph& g, const std::vector<std::string>& names) {
    std::vector<int> found;
    for (const std::string& name : names) {
      found.push_back(g.find_edge(name));
      check(found.back() >= 0,
            "there is no value named \"{}\" to keep; names are those given in wire(), joined by dots", name);
    }
    return found;
  }

  Net net_;
  Extent images_;
  ModelOpts opts_;
  ParamStore<T> store_;
  Arena arena_;
  std::map<int, std::unique_ptr<ProgramType>> training_;
  std::vector<std::pair<std::pair<Extent, int>, std::unique_ptr<ProgramType>>> inference_;
};

}  // namespace moecnn
