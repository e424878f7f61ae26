#pragma once
#include "moecnn/graph/passes/freeze_norms.hpp"
#include "moecnn/graph/passes/pipelines.hpp"
#include "moecnn/graph/passes/set_precision.hpp"
#include "moecnn/model/memory_check.hpp"
#include "moecnn/model/model.hpp"

namespace moecnn {

MOECNN_BODY AnyModel::AnyModel(std::unique_ptr<Backend> backend, Extent images, ModelOpts opts, RecordGraph record)
    : backend_(std::move(backend)),
      record_(std::move(record)),
      images_(images),
      opts_(std::move(opts)),
      arena_(backend_->memory()) {
  check(opts_.precision == Precision::full || backend_->takes(DType::bf16),
        "the backend {} has no kernels for bf16; choose Precision::full, or another backend", backend_->title());
  store_.limit_memory(opts_.memory);
  // The training program decides how parameters are stored, since it is the one that changes them.
  if (opts_.training)
    channels_ = training().graph().edges[training().graph().input].channels;
  else
    adopt_for_inference();
  store_.initialise(opts_.seed);
}

MOECNN_BODY Program& AnyModel::training(Extent images) {
  check(opts_.training, "this model was made for inference; construct it with .training = true to train it");
  auto& slot = training_[{images.n, images.h, images.w}];
  if (!slot) slot = make_training(images);
  return *slot;
}

MOECNN_BODY void AnyModel::freeze(const std::vector<char>& frozen) {
  check(frozen.size() == static_cast<std::size_t>(store_.size()),
        "freeze() was given {} entries, but the model has {} parameters and buffers; give one for each", frozen.size(),
        store_.size());
  Graph g = recorded();
  passes::freeze_norms(g, opts_.frozen_norms);
  bool changed = false;
  for (int i = 0; i < store_.size(); ++i) {
    const bool now = store_.spec(i).trained && (frozen[i] || g.params[i].frozen);
    changed = changed || now != store_.spec(i).frozen;
    store_.set_frozen(i, now);
  }
  if (changed) training_.clear();
}

MOECNN_BODY Program& AnyModel::inference(const Key& key) {
  const auto known = std::find_if(inference_.begin(), inference_.end(), [&](auto& p) { return p.first == key; });
  if (known != inference_.end()) {
    std::rotate(known, known + 1, inference_.end());  // the last one is the one used last
  } else {
    if (inference_.size() == 4) inference_.erase(inference_.begin());
    inference_.emplace_back(key, nullptr);
  }
  auto& slot = inference_.back().second;
  if (!slot) slot = make_inference(key);
  return *slot;
}

MOECNN_BODY std::unique_ptr<Program> AnyModel::make_training(Extent images) {
  Graph g = record_(images);
  record_losses(g, true);
  passes::freeze_norms(g, opts_.frozen_norms);
  for (int i = 0; i < store_.size(); ++i) g.params[i].frozen = store_.spec(i).frozen;
  const std::vector<int> keep = edges(g, opts_.keep);
  passes::set_dtype(g, backend_->dtype());
  passes::for_training(g, keep, opts_.mix_linear_experts);
  lower_precision(g, keep);
  return std::make_unique<Program>(std::move(g), *backend_, store_, arena_,
                                   ProgramOpts{.training = true, .keep = keep, .rebuild = opts_.rebuild});
}

/// Losses of the result first, then those of the auxiliary values. Their results are outputs, so that no pass drops them.
MOECNN_BODY void AnyModel::record_losses(Graph& g, bool auxiliary) const {
  const std::size_t before = g.nodes.size(), results = g.outputs.size();
  const int result = g.outputs[0];
  Recorder recorder(g);
  opts_.task->losses(recorder, result, 1);
  if (auxiliary)
    for (const Auxiliary& a : opts_.auxiliary) opts_.task->losses(recorder, edges(g, {a.value})[0], a.factor);
  for (std::size_t n = before; n < g.nodes.size(); ++n)
    if (is_loss(g.nodes[n].op)) g.outputs.push_back(g.nodes[n].output);
  check(g.outputs.size() > results, "the task of this model records no loss; see Task::losses()");
}

MOECNN_BODY std::unique_ptr<Program> AnyModel::make_inference(const Key& key) {
  Graph g = record_(key.images);
  if (key.losses) record_losses(g, false);
  if (key.k != 0) passes::set_k(g, key.k);
  const std::vector<int> keep = edges(g, opts_.keep);
  passes::set_dtype(g, backend_->dtype());
  passes::for_inference(g, keep, opts_.mix_linear_experts);
  lower_precision(g, keep);
  return std::make_unique<Program>(std::move(g), *backend_, store_, arena_,
                                   ProgramOpts{.keep = keep, .repeats_mixtures = key.again});
}

MOECNN_BODY void AnyModel::lower_precision(Graph& g, const std::vector<int>& keep) const {
  if (opts_.precision == Precision::bf16) passes::lower_precision(g, DType::bf16, keep, backend_->low_weights());
}

/// Without a training program nothing has chosen layouts: plain ones, which every inference program can read.
MOECNN_BODY void AnyModel::adopt_for_inference() {
  Graph g = recorded();
  passes::set_dtype(g, backend_->dtype());
  channels_ = g.edges[g.input].channels;
  check_memory({.parameters = ParamStore::places(g.params, {}).all}, opts_.memory, "the network");
  store_.adopt(g, {}, backend_->memory());
}

MOECNN_BODY std::vector<int> AnyModel::edges(const Graph& g, const std::vector<std::string>& names) {
  std::vector<int> found;
  for (const std::string& name : names) {
    found.push_back(g.find_edge(name));
    check(found.back() >= 0, "there is no value named \"{}\" to keep; names are those given in wire(), joined by dots",
          name);
  }
  return found;
}

}  // namespace moecnn
