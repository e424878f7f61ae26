#pragma once
/// \file
/// Predictions for every image of a set: logits, and how each mixture routed it. All other analysis starts from here.

#include "moecnn/core/class_scores.hpp"
#include "moecnn/core/matrix.hpp"
#include "moecnn/data/loader.hpp"
#include "moecnn/train/evaluate.hpp"

#include <algorithm>
#include <functional>

namespace moecnn::analysis {

/// In the order of the source.
struct Predictions {
  int images = 0, classes = 0;
  std::vector<float> logits;  ///< images × classes
  std::vector<int> labels;    ///< images; empty where the batches have no target "labels"
  std::vector<int> indices;   ///< images: places in the set; pictures that cannot be read have no row

  struct Mixture {
    std::string name;  ///< e.g. "layer4"
    int k = 0;
    Matrix weights;      ///< images × N, sparse; where patches are routed, a row for each patch of an image
    Matrix scores;       ///< the same, softmax over all experts
    Matrix gate_logits;  ///< the same
  };
  std::vector<Mixture> mixtures;

  std::span<const float> row(int i) const {
    return {logits.data() + static_cast<std::size_t>(i) * classes, static_cast<std::size_t>(classes)};
  }
  const Mixture& mixture(std::string_view name) const {
    for (const Mixture& m : mixtures)
      if (m.name == name) return m;
    fail("there is no mixture named \"{}\" in these predictions", name);
  }
};

/// The experts that serve an image, in every mixture of the network.
struct ExpertsOf {
  int k = 0;                   ///< active experts; 0: as the network was built
  int fixed_expert = -1;       ///< ≥ 0: this expert alone serves every image
  bool equal_weights = false;  ///< every expert runs, with weight 1/N; k does not count
};

struct PredictOpts {
  int k = 0;                   ///< as in ExpertsOf
  int fixed_expert = -1;       ///< the same
  bool equal_weights = false;  ///< the same
  StopAsked stop = {};         ///< true: predict() throws Stopped
  std::function<void(int images_done)> progress = {};
  int batch = 100;                                          ///< of an image set in memory
  data::AugmentOpts normalise = data::AugmentOpts::none();  ///< of an image set in memory
};

namespace detail {

/// Adds the rows of a batch, which `program` has just run; `first` images came before it. `k` experts per row, 0: those of
/// the routings.
inline void append(Predictions& p, const Program& program, const AnyBatch& batch, int first, int k = 0) {
  const Graph& g = program.graph();
  const int out = g.outputs[0], images = first + batch.count;
  const Edge& edge = g.edges[out];
  check(edge.extent.pixels() == 1, "predict() is for networks with one result per image; this one gives {} × {} maps",
        edge.extent.h, edge.extent.w);
  p.images = images, p.classes = edge.channels;
  p.logits.resize(static_cast<std::size_t>(images) * p.classes);
  program.read(out, p.logits.data() + static_cast<std::size_t>(first) * p.classes);
  if (const Target* t = batch.targets.find("labels"); t && t->dtype == DType::i32) {
    const auto* labels = static_cast<const std::int32_t*>(t->data);
    p.labels.insert(p.labels.end(), labels, labels + batch.count);
  }
  for (int i = 0; i < batch.count; ++i) p.indices.push_back(batch.indices ? batch.indices[i] : first + i);
  p.mixtures.resize(program.routings().size());
  for (std::size_t m = 0; m < p.mixtures.size(); ++m) {
    auto& to = p.mixtures[m];
    const Routing& from = program.routings()[m];
    to.name = g.routings[m].name, to.k = k > 0 ? k : k == as_built ? g.routings[m].policy->k() : from.k;
    const int patches = from.rows / batch.count;
    const auto add = [&](Matrix& all, const Matrix& rows) {
      all.resize(images * patches, from.experts);
      std::copy(rows.flat().begin(), rows.flat().end(), all.row(first * patches).begin());
    };
    add(to.weights, from.weights);
    add(to.scores, from.scores);
    add(to.gate_logits, from.logits);
  }
}

inline Predictions predict(AnyModel& model, AnyBatches& source, const PredictOpts& opts) {
  if (!source.image_size()) moecnn::detail::check_images(source, model.images(), model.channels());
  Predictions p;
  const auto run = moecnn::detail::EvaluationRun::of(opts);
  moecnn::detail::run_evaluation(model, source, run, [&](Program& program, const AnyBatch& batch, int first) {
    append(p, program, batch, first);
    if (opts.progress) opts.progress(p.images);
  });
  check(p.images > 0, "there are no images to predict");
  return p;
}

inline std::vector<Predictions> predict_each(AnyModel& model, AnyBatches& source, const std::vector<ExpertsOf>& choices,
                                             const PredictOpts& opts) {
  if (!source.image_size()) moecnn::detail::check_images(source, model.images(), model.channels());
  std::vector<Predictions> all(choices.size());
  const moecnn::detail::EvaluationRun run{.stop = opts.stop, .again = true};
  const int images =
      moecnn::detail::run_evaluation(model, source, run, [&](Program& program, const AnyBatch& batch, int first) {
        for (std::size_t c = 0; c < choices.size(); ++c) {
          const int k = choices[c].fixed_expert >= 0 ? 1 : choices[c].k > 0 ? choices[c].k : as_built;
          program.forward_again({.noise_off = true,
                                 .fixed_expert = choices[c].fixed_expert,
                                 .equal_weights = choices[c].equal_weights,
                                 .k = k});
          append(all[c], program, batch, first, choices[c].equal_weights ? 0 : k);
        }
        if (opts.progress) opts.progress(first + batch.count);
      });
  check(images > 0, "there are no images to predict");
  return all;
}

}  // namespace detail

/// Runs one epoch of `source` from its beginning through the model's inference programs. The order is the source's:
/// give a loader without shuffling and augmentation.
template <BatchSource Source>
Predictions predict(AnyModel& model, Source& source, const PredictOpts& opts = {}) {
  BatchesOf<Source> batches(source);
  return detail::predict(model, batches, opts);
}

/// The same for an image set in memory, in its order.
inline Predictions predict(AnyModel& model, const data::ImageSet& set, const PredictOpts& opts = {}) {
  data::Loader loader(set, {.batch = opts.batch, .augment = opts.normalise, .threads = 0, .prefetch = 1, .epochs = 1});
  return predict(model, loader, opts);
}

/// Predictions for several choices of experts, in their order, in one pass over the data: layers before a mixture, and its
/// experts, run once per image, only what follows them once for each choice. `opts` is asked for `stop` and `progress`
/// alone. Memory: the logits of all choices.
template <BatchSource Source>
std::vector<Predictions> predict_each(AnyModel& model, Source& source, const std::vector<ExpertsOf>& choices,
                                      const PredictOpts& opts = {}) {
  BatchesOf<Source> batches(source);
  return detail::predict_each(model, batches, choices, opts);
}

/// The same for an image set in memory, in its order; `opts` says batch size and normalisation, too.
inline std::vector<Predictions> predict_each(AnyModel& model, const data::ImageSet& set,
                                             const std::vector<ExpertsOf>& choices, const PredictOpts& opts = {}) {
  data::Loader loader(set, {.batch = opts.batch, .augment = opts.normalise, .threads = 0, .prefetch = 1, .epochs = 1});
  return predict_each(model, loader, choices, opts);
}

/// Share of images whose label is among the `k` largest logits; equal logits count in favour of the lower class. An image
/// whose label has a logit that is no number is wrong.
inline double top_k_accuracy(const Predictions& p, std::span<const int> labels, int k) {
  const int right = count_top_k(p.logits.data(), labels.data(), p.images, p.classes, k);
  return p.images ? static_cast<double>(right) / p.images : 0.0;
}

/// Top-1 accuracy of every class; NaN for classes without images.
inline std::vector<double> class_accuracy(const Predictions& p, std::span<const int> labels) {
  std::vector<double> right(p.classes), all(p.classes);
  for (int i = 0; i < p.images; ++i) {
    right[labels[i]] += rank_of(p.row(i).data(), p.classes, labels[i]) == 0;
    all[labels[i]] += 1;
  }
  for (int c = 0; c < p.classes; ++c) right[c] /= all[c];
  return right;
}

}  // namespace moecnn::analysis
