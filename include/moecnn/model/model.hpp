#pragma once
/// \file
/// A network on a backend: one parameter store, and programs for training and inference that share it.

#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/graph/recorder.hpp"
#include "moecnn/model/model_opts.hpp"
#include "moecnn/model/program.hpp"

#include <array>
#include <functional>
#include <map>

namespace moecnn {

/// A model whose network and backend have lost their types: what training, evaluation and analysis work on. Owns
/// parameters and programs. A program is made when first asked for and kept: one per batch size, and for inference per
/// extent of the images and k. All of them see the same parameters; the memory of activations is shared, so what one run
/// left behind is gone after the next.
class AnyModel {
 public:
  /// `record` gives the graph for images of an extent.
  using RecordGraph = std::function<Graph(Extent)>;

  /// `images`: the batch size and image size that the model is made for; other batch sizes can be asked for later.
  AnyModel(std::unique_ptr<Backend> backend, Extent images, ModelOpts opts, RecordGraph record);
  /// The same for a network, which is copied.
  template <class Net>
    requires(!std::is_invocable_v<Net, Extent>)
  AnyModel(std::unique_ptr<Backend> backend, Extent images, ModelOpts opts, Net net)
      : AnyModel(std::move(backend), images, std::move(opts),
                 RecordGraph([net = std::move(net)](Extent e) { return record(net, e); })) {}
  AnyModel(const AnyModel&) = delete;
  AnyModel& operator=(const AnyModel&) = delete;

  const ModelOpts& opts() const { return opts_; }
  Extent images() const { return images_; }
  /// Channels of the images.
  int channels() const { return channels_; }
  ParamStore& params() { return store_; }
  const ParamStore& params() const { return store_; }
  Backend& backend() const { return *backend_; }

  /// The graph as recorded, before any pass.
  Graph recorded(int rows = 0) const { return record_(with_rows(rows)); }

  /// Training for batches of `rows` images (0: the size given at construction), with the losses of the task.
  Program& training(int rows = 0) { return training(with_rows(rows)); }

  /// The same for images of another size, such as those of a detector; each has a program of its own.
  Program& training(Extent images);

  /// Says which parameters training leaves as they are from now on: one entry for each of params(), those of
  /// ModelOpts::frozen_norms besides. They keep their place in memory, but no gradient is computed for them, nor for what
  /// only they need. Where that changes anything, programs of training() are made anew, and references to them are no
  /// longer good. fit() calls this with what TrainOpts::groups says.
  void freeze(const std::vector<char>& frozen);

  /// Inference for `rows` images (0: the size given at construction) with `k` active experts (0: as built; every_expert:
  /// all of each mixture, as equal weights want it): batch norm folded, nothing saved, no noise. Programs share folded
  /// weights that they store alike; where they do not, each has its own, so only the last few programs are kept: the
  /// reference is good until three others have been asked for.
  Program& inference(int rows = 0, int k = 0) { return inference(with_rows(rows), k); }

  /// The same for images of another size than those of training.
  Program& inference(Extent images, int k = 0) { return inference(Key{.images = images, .k = k}); }

  /// Inference of which all experts run, once, and whose results can then be had for any choice of them: forward() with
  /// equal_weights, then Program::forward_again() with other steps.
  Program& inference_of_all(Extent images) {
    return inference(Key{.images = images, .k = every_expert, .again = true});
  }

  /// Inference with the losses of the task behind it, whose targets have to be given: for tests.
  Program& evaluation(Extent images, int k = 0) { return inference({.images = images, .k = k, .losses = true}); }

  std::size_t arena_bytes() const { return arena_.bytes(); }

 private:
  struct Key {
    Extent images;
    int k = 0;
    bool losses = false;
    bool again = false;
    bool operator==(const Key&) const = default;
  };

  Extent with_rows(int rows) const { return {rows == 0 ? images_.n : rows, images_.h, images_.w}; }
  void adopt_for_inference();
  void lower_precision(Graph& g, const std::vector<int>& keep) const;
  std::unique_ptr<Program> make_training(Extent images);
  Program& inference(const Key& key);
  void record_losses(Graph& g, bool auxiliary) const;
  std::unique_ptr<Program> make_inference(const Key& key);
  static std::vector<int> edges(const Graph& g, const std::vector<std::string>& names);

  std::unique_ptr<Backend> backend_;  // outlives what lies in its memory
  RecordGraph record_;
  Extent images_;
  ModelOpts opts_;
  int channels_ = 0;
  ParamStore store_;
  Arena arena_;
  std::map<std::array<int, 3>, std::unique_ptr<Program>> training_;  // by rows, height, width
  std::vector<std::pair<Key, std::unique_ptr<Program>>> inference_;
};

/// A model of a network, with its types.
template <class Net, class BackendType>
class Model : public AnyModel {
 public:
  using T = typename BackendType::scalar;

  explicit Model(Extent images, ModelOpts opts = {}, Net net = {})
      : AnyModel(std::make_unique<BackendType>(), images, std::move(opts), net), net_(std::move(net)) {}

  const Net& net() const { return net_; }

 private:
  Net net_;
};

}  // namespace moecnn

#if MOECNN_BODIES
#include "moecnn/model/model_impl.hpp"
#endif
