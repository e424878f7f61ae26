#pragma once
/// \file
/// Running a trained model over a set of images.

#include <functional>

#include "moecnn/model/model.hpp"
#include "moecnn/moe/stats.hpp"
#include "moecnn/train/batches.hpp"
#include "moecnn/train/metrics.hpp"
#include "moecnn/train/result.hpp"

namespace moecnn {

/// One batch of an evaluation.
template <class T>
struct EvaluatedBatch {
  int first = 0;  ///< images before this batch
  int count = 0;
  int classes = 0;
  const T* logits = nullptr;  ///< [count, classes]
  const int* labels = nullptr;
  const std::vector<Routing>* routings = nullptr;  ///< per mixture
};

template <class T>
struct EvaluateOpts {
  int k = 0;                   ///< active experts; 0: as built
  int fixed_expert = -1;       ///< ≥ 0: this expert serves every image with weight 1
  bool equal_weights = false;  ///< every expert runs, with weight 1/N
  std::function<void(const EvaluatedBatch<T>&)> on_batch = {};  ///< for dumps and analysis
};

struct Evaluation {
  int images = 0;
  double loss = 0;  ///< mean cross-entropy
  double top1 = 0, top5 = 0;
  std::vector<MixtureInfo> mixtures = {};
  std::vector<RoutingStats> routing = {};  ///< per mixture

  TestRecord record() const;
};

/// Runs one epoch of `source` from its beginning through the model's inference programs. Batch norm uses its running
/// statistics, gates have no noise. The order of the images is the source's: for dumps give a loader without shuffling.
template <class Net, class Backend, BatchSource Source>
Evaluation evaluate(Model<Net, Backend>& model, Source& source,
                    const EvaluateOpts<typename Backend::scalar>& opts = {});

}  // namespace moecnn
