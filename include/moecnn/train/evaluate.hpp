#pragma once
/// \file
/// Running a trained model over a set of images.

#include <algorithm>
#include <functional>

#include "moecnn/model/model.hpp"
#include "moecnn/moe/stats.hpp"
#include "moecnn/train/batches.hpp"
#include "moecnn/train/result.hpp"
#include "moecnn/train/stop.hpp"

namespace moecnn {

/// One batch of an evaluation.
struct EvaluatedBatch {
  int first = 0;  ///< images before this batch
  int count = 0;
  int classes = 0;
  const float* logits = nullptr;  ///< [count, classes, h, w], the network's result
  const int* labels = nullptr;    ///< the target "labels"; null where there is none of that name
  const Targets* targets = nullptr;
  const std::vector<Routing>* routings = nullptr;  ///< per mixture
};

/// Options of running a trained model over a set; `Batch` is what the caller is told about each batch.
template <class Batch>
struct EvaluateOptsOf {
  int k = 0;                                        ///< active experts; 0: as built
  int fixed_expert = -1;                            ///< ≥ 0: this expert serves every row with weight 1
  std::string fixed_in = {};                        ///< pattern: in mixtures of such names; empty: in all
  bool equal_weights = false;                       ///< every expert runs, with weight 1/N; k does not count
  std::function<void(const Batch&)> on_batch = {};  ///< for dumps and analysis
  StopAsked stop = {};                              ///< true: the evaluation throws Stopped
};
using EvaluateOpts = EvaluateOptsOf<EvaluatedBatch>;

struct Evaluation : TaskResult {
  int images = 0;
  std::vector<MixtureInfo> mixtures = {};
  std::vector<RoutingStats> routing = {};  ///< per mixture

  TestRecord record() const {
    TestRecord r{.images = images, .loss = loss, .scores = scores, .per_class = per_class};
    for (const RoutingStats& s : routing) r.mixtures.push_back({s.load_share(), s.importance_share()});
    return r;
  }
  double top1() const { return value_of(scores, "top1"); }
  double top5() const { return value_of(scores, "top5"); }
};

/// The mixtures of a network.
inline std::vector<MixtureInfo> mixtures_of(const Graph& g) {
  std::vector<MixtureInfo> list;
  for (const RoutingSpec& r : g.routings) list.push_back({r.name, r.experts, r.k});
  return list;
}

namespace detail {

/// The extent of a batch's images, whose size is `usual` where the batch does not say it.
inline Extent extent_of(const AnyBatch& batch, Size2 usual) {
  const Size2 size = batch.size == Size2(0) ? usual : batch.size;
  return {batch.count, size.h, size.w};
}
/// Throws Error unless images of the source have the model's size (where the source tells it).
void check_images(const AnyBatches& source, Extent images, int channels);
/// Gives a program the targets that its losses want. Throws Error where the batch lacks one.
void set_targets(Program& program, const Targets& targets);
/// Throws Error unless the label maps of the source (where it has some) are as large as the network's result.
void check_maps(const AnyBatches& source, const Edge& out);

/// How an evaluation chooses programs and routes.
struct EvaluationRun {
  int k = 0, fixed_expert = -1;
  std::string fixed_in = {};
  bool equal_weights = false;
  StopAsked stop = {};
  bool losses = false;  ///< programs with the losses of the task, which are given the targets
  int first_batch = 0;  ///< of the epoch
  bool again = false;   ///< all experts run, and `each` may ask the program for forward_again()

  /// The options of evaluate(), of predict(), or others with the same names.
  template <class Opts>
  static EvaluationRun of(const Opts& o) {
    EvaluationRun run{.k = o.k, .fixed_expert = o.fixed_expert, .equal_weights = o.equal_weights, .stop = o.stop};
    if constexpr (requires { o.fixed_in; }) run.fixed_in = o.fixed_in;
    return run;
  }
};

/// The only loop over a test set: one epoch of `source` from `run.first_batch` on, through inference programs for images of
/// the source's size. `each(program, batch, images before)` is called after every forward pass. Returns the number of
/// images.
int run_evaluation(AnyModel& model, AnyBatches& source, const EvaluationRun& run,
                   const std::function<void(Program&, const AnyBatch&, int)>& each);

Evaluation evaluate(AnyModel& model, AnyBatches& source, const EvaluateOpts& opts);

/// Runs the last two batches of `source` as evaluate() does (one is full, the other may be smaller) and forgets the
/// result: throws what evaluate() would throw for them, and makes the programs that it needs.
void rehearse_evaluation(AnyModel& model, AnyBatches& source);

}  // namespace detail

/// Runs one epoch of `source` from its beginning through the model's inference programs and counts as the model's task
/// does. Batch norm uses its running statistics, gates have no noise. The order of the images is the source's: for dumps give
/// a loader without shuffling.
template <BatchSource Source>
Evaluation evaluate(AnyModel& model, Source& source, const EvaluateOpts& opts = {}) {
  BatchesOf<Source> batches(source);
  return detail::evaluate(model, batches, opts);
}

}  // namespace moecnn

#if MOECNN_BODIES
#include "moecnn/train/evaluate_impl.hpp"
#endif
