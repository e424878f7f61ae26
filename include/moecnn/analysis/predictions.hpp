#pragma once
/// \file
/// What a network says about every image of a set: logits, and how each mixture routed it. All other analysis starts
/// from here.

#include "moecnn/core/class_scores.hpp"
#include "moecnn/core/matrix.hpp"
#include "moecnn/data/augment.hpp"
#include "moecnn/data/image_set.hpp"
#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/model/model.hpp"

#include <algorithm>
#include <functional>

namespace moecnn::analysis {

/// In the order of the image set.
struct Predictions {
  int images = 0, classes = 0;
  std::vector<float> logits;  ///< images × classes

  struct Mixture {
    std::string name;  ///< e.g. "layer4"
    int k = 0;
    Matrix weights;      ///< images × N, sparse
    Matrix scores;       ///< images × N, softmax over all experts
    Matrix gate_logits;  ///< images × N
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

struct PredictOpts {
  int batch = 100;
  int k = 0;                   ///< active experts; 0: as the network was built
  int fixed_expert = -1;       ///< ≥ 0: this expert alone serves every image
  bool equal_weights = false;  ///< every expert runs, with weight 1/N; k does not count
  data::AugmentOpts normalise = data::AugmentOpts::none();
  std::function<void(int images_done)> progress = {};
};

/// Runs a model over an image set, in file order.
inline Predictions predict(AnyModel& model, const data::ImageSet& set, const PredictOpts& opts = {}) {
  check(opts.batch >= 1, "the batch size is {}; it must be at least 1", opts.batch);
  Predictions p;
  p.images = set.n;
  std::vector<float> images(set.image_bytes() * std::min(opts.batch, set.n));
  std::vector<float> logits;
  StepContext step;
  step.fixed_expert = opts.fixed_expert;
  step.equal_weights = opts.equal_weights;
  const Rng unused(0, Purpose::augment);
  for (int first = 0; first < set.n; first += opts.batch) {
    const int rows = std::min(opts.batch, set.n - first);
    Program& program = model.inference(rows, opts.equal_weights ? every_expert : opts.k);
    for (int i = 0; i < rows; ++i)
      data::augment(set.image(first + i), images.data() + i * set.image_bytes(), opts.normalise, unused, first + i,
                    set.h, set.w);
    program.set_images(images.data());
    program.forward(step);

    const int out = program.graph().outputs[0];
    p.classes = program.graph().edges[out].channels;
    logits.resize(program.graph().edges[out].elements());
    program.read(out, logits.data());
    p.logits.insert(p.logits.end(), logits.begin(), logits.end());
    p.mixtures.resize(program.routings().size());
    for (std::size_t m = 0; m < p.mixtures.size(); ++m) {
      auto& to = p.mixtures[m];
      const Routing& from = program.routings()[m];
      if (first == 0) {
        to.name = program.graph().routings[m].name;
        to.k = from.k;
        for (Matrix* x : {&to.weights, &to.scores, &to.gate_logits}) x->resize(set.n, from.experts);
      }
      const auto place = static_cast<std::ptrdiff_t>(first) * from.experts;
      std::copy(from.weights.flat().begin(), from.weights.flat().end(), to.weights.flat().begin() + place);
      std::copy(from.scores.flat().begin(), from.scores.flat().end(), to.scores.flat().begin() + place);
      std::copy(from.logits.flat().begin(), from.logits.flat().end(), to.gate_logits.flat().begin() + place);
    }
    if (opts.progress) opts.progress(first + rows);
  }
  return p;
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
