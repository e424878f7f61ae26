#pragma once
#include "moecnn/core/shared_cores.hpp"
#include "moecnn/model/memory_check.hpp"
#include "moecnn/model/program.hpp"

#include <algorithm>

namespace moecnn {

MOECNN_BODY Program::Program(Graph graph, Backend& backend, ParamStore& store, Arena& arena, ProgramOpts opts)
    : graph_(std::move(graph)), backend_(backend), store_(store), arena_(arena), opts_(std::move(opts)) {
  flow_ = analyse(graph_, opts_.training, opts_.seeds, opts_.input_grad);
  lowered_ = backend_.lower(graph_, flow_, store_.layouts());
  check(!store_.empty() || std::none_of(graph_.derived.begin(), graph_.derived.end(),
                                        [](const Derived& d) { return d.how == Derived::How::fold; }),
        "a program with folded batch norms needs the store that it folds them from; make a program of the unfolded "
        "graph first, as Model does");
  needs_.reserve(graph_.nodes.size());
  for (const auto& k : lowered_.kernels) needs_.push_back(k->needs());
  targets_ = graph_.targets();
  given_targets_.resize(targets_.size());
  std::vector<int> keep = opts_.keep;
  keep.insert(keep.end(), targets_.begin(), targets_.end());  // a step may be repeated without giving them again
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
    if (is_loss(graph_.nodes[n].op)) {
      loss_nodes_.push_back(static_cast<int>(n));
      keep.push_back(graph_.nodes[n].output);
    }
  losses_.resize(loss_nodes_.size());
  find_first_sum();
  for (std::size_t n = 0; opts_.repeats_mixtures && n < graph_.nodes.size(); ++n)
    if (runs_again(n)) {
      for (const int e : graph_.nodes[n].inputs) {
        const int from = graph_.edges[e].producer;
        if (from < 0 || !runs_again(static_cast<std::size_t>(from))) keep.push_back(e);
      }
      if (n < first_sum_) keep.push_back(graph_.nodes[n].output);  // which lies among what must stay
    }
  plan_ =
      make_plan(graph_, flow_, needs_, bytes(lowered_.value_layout), bytes(lowered_.grad_layout), keep, opts_.rebuild);
  name_ = std::make_shared<const std::string>(text());
  allocate();
  routings_.resize(graph_.routings.size());
  for (const Node& n : graph_.nodes)
    if (n.expert >= 0) routings_[n.routing].parts.resize(static_cast<std::size_t>(graph_.routings[n.routing].experts));
  routing_grads_.resize(graph_.routings.size());
  bind();
}

MOECNN_BODY std::string Program::text() const {
  const Extent images = graph_.edges[graph_.input].extent;
  std::string text = formatted("the {} program for {} image{} of {} × {}", opts_.training ? "training" : "inference",
                               images.n, images.n == 1 ? "" : "s", images.h, images.w);
  for (const RoutingSpec& r : graph_.routings)
    if (r.k != r.policy->k()) return text + formatted(" with k = {}", r.k);
  return text;
}

MOECNN_BODY void Program::set_images(const void* images, DType type) {
  const int generation = arena_.generation();
  if (arena_.owner() != name_) std::fill(given_targets_.begin(), given_targets_.end(), char{0});
  arena_.reserve(plan_.arena_bytes, name_);  // there is room, unless growing has failed since
  if (arena_.generation() != generation) std::fill(given_targets_.begin(), given_targets_.end(), char{0});
  rebind_if_moved();
  arena_.claim(name_);
  given_images_ = true;
  ran_ = false;
  write_as(lowered_.value_layout[graph_.input].get(), images, type, value_data(graph_.input), graph_.input);
}

MOECNN_BODY void Program::set_target(std::string_view name, const void* values, DType type) {
  check_owner("the images");
  for (std::size_t t = 0; t < targets_.size(); ++t) {
    const int e = targets_[t];
    const Edge& edge = graph_.edges[e];
    if (edge.name != name) continue;
    check(edge.dtype == type || (is_float(edge.dtype) && (is_float(type) || type == DType::u8)),
          "the target \"{}\" has elements of type {}, it was given elements of type {}", name, name_of(edge.dtype),
          name_of(type));
    if (type == DType::i32) check_labels(e, static_cast<const std::int32_t*>(values));
    write_as(lowered_.value_layout[e].get(), values, type, value_data(e), e);
    given_targets_[t] = 1;
    return;
  }
  std::string known;
  for (const int e : targets_) known += " \"" + graph_.edges[e].name + '"';
  fail("{} has no target \"{}\"; it has{}", *name_, name, known.empty() ? " none, since it has no loss" : known);
}

/// Throws unless all of them are classes of the losses that read them, or ignored.
MOECNN_BODY void Program::check_labels(int edge, const std::int32_t* labels) const {
  for (const int n : loss_nodes_) {
    const Node& node = graph_.nodes[n];
    const Edge& e = graph_.edges[edge];
    if (const auto* focal = std::get_if<ops::FocalLoss>(&node.op); focal && node.inputs.back() == edge)
      moecnn::check_anchor_classes(labels, e.extent.n, focal->classes, e.extent.pixels());
    const auto* op = std::get_if<ops::CrossEntropy>(&node.op);
    if (!op || node.inputs[1] != edge) continue;
    moecnn::check_labels(labels, e.extent.n, op->classes, e.extent.pixels(), op->ignore);
  }
}

MOECNN_BODY void Program::find_first_sum() {
  const auto weighs = [](const Node& n) {
    return std::holds_alternative<ops::Combine>(n.op) || std::holds_alternative<ops::MixedConv>(n.op);
  };
  while (first_sum_ < graph_.nodes.size() && !weighs(graph_.nodes[first_sum_])) ++first_sum_;
}

/// Whether forward_again() runs the node.
MOECNN_BODY bool Program::runs_again(std::size_t n) const {
  return n >= first_sum_ || std::holds_alternative<ops::Route>(graph_.nodes[n].op);
}

MOECNN_BODY void Program::run_from(std::size_t first, const StepContext& step) {
  for (std::size_t n = first; n < lowered_.kernels.size(); ++n) lowered_.kernels[n]->forward(step);
  backend_.finish();
  for (std::size_t i = 0; i < losses_.size(); ++i)
    backend_.memory().copy_out(&losses_[i], value_data(graph_.nodes[loss_nodes_[i]].output), sizeof(LossResult));
}

/// Gives the slots of all experts the weights of the routing, most of them 0.
MOECNN_BODY void Program::weigh(std::size_t routing) {
  Routing& now = routings_[routing];
  const Routing& all = all_ran_[routing];
  now.k = all.k, now.offset = all.offset, now.slot_row = all.slot_row, now.row_slots = all.row_slots;
  now.parts = all.parts;
  now.slot_weight.resize(now.slot_row.size());
  for (int e = 0; e < now.experts; ++e) {
    for (int s = now.offset[e]; s < now.offset[e + 1]; ++s) now.slot_weight[s] = now.weights(now.slot_row[s], e);
    if (now.parts.empty()) continue;
    Routing& part = now.parts[static_cast<std::size_t>(e)];
    for (std::size_t s = 0; s < part.slot_weight.size(); ++s) part.slot_weight[s] = now.weights(part.slot_row[s], e);
  }
}

MOECNN_BODY void Program::forward_again(const StepContext& step) {
  check(opts_.repeats_mixtures && !step.training,
        "{} cannot run mixtures again; ask the model for inference_of_all() and give it a step without training",
        *name_);
  check_values();
  check(routings_.empty() || !all_ran_.empty(),
        "{}: forward_again() needs a forward() with equal_weights before it, in which all experts run", *name_);
  for (std::size_t n = 0; n < first_sum_; ++n) {
    if (!std::holds_alternative<ops::Route>(graph_.nodes[n].op)) continue;
    lowered_.kernels[n]->forward(step);
    weigh(static_cast<std::size_t>(graph_.nodes[n].routing));
  }
  run_from(first_sum_, step);
}

MOECNN_BODY void Program::forward(const StepContext& step) {
  check(!step.training || opts_.training, "this program was made for inference; run the model's training program");
  watch_cores();
  check_owner("the images");
  for (std::size_t t = 0; t < targets_.size();
       ++t)  // labels are places in memory: whatever lies there must not be taken
    check(given_targets_[t], "{} wants the target \"{}\"; give it by set_target() after set_images()", *name_,
          graph_.edges[targets_[t]].name);
  ran_ = false;
  rebind_if_moved();
  if (refreshed_ != store_.version()) {
    derived_.refresh(graph_, store_);
    for (auto& k : lowered_.kernels) k->refresh();
    refreshed_ = store_.version();
  }
  all_ran_.clear();
  run_from(0, step);
  if (opts_.repeats_mixtures && step.equal_weights) all_ran_ = routings_;
  ran_ = true;
  if (step.training) {
    store_.touch();  // running statistics have moved, which other programs have folded into weights
    refreshed_ = store_.version();
  }
}

MOECNN_BODY void Program::backward(const StepContext& step) {
  check_values();
  for (std::size_t n = graph_.nodes.size(); n-- > 0;) backward(n, step);
}
MOECNN_BODY void Program::backward(std::size_t node, const StepContext& step) {
  check_owner("the values");
  for (int n : plan_.rebuilds[node]) lowered_.kernels[n]->rebuild();
  if (flow_.runs_backward[node]) lowered_.kernels[node]->backward(step);
}

MOECNN_BODY double Program::loss() const {
  double sum = 0;
  for (std::size_t i = 0; i < losses_.size(); ++i) sum += loss_part(i);
  return sum;
}
MOECNN_BODY double Program::loss_part(std::size_t i) const {
  return factor_of(graph_.nodes[loss_nodes_[i]].op) * losses_[i].mean;
}
MOECNN_BODY std::string_view Program::loss_name(std::size_t i) const {
  return traits_of(graph_.nodes[loss_nodes_[i]].op).name;
}
MOECNN_BODY double Program::balance_loss() const {
  double sum = 0;
  for (const Routing& r : routings_) sum += r.balance_loss;
  return sum;
}

MOECNN_BODY const Routing& Program::routing(std::string_view name) const {
  for (std::size_t i = 0; i < graph_.routings.size(); ++i)
    if (graph_.routings[i].name == name) return routings_[i];
  std::string known;
  for (const RoutingSpec& r : graph_.routings) known += ' ' + r.name;
  fail("there is no mixture named \"{}\"; this network has:{}", name, known.empty() ? " none" : known);
}

MOECNN_BODY void Program::read(int edge, void* plain, DType as) const {
  check_values();
  read_as(lowered_.value_layout[edge].get(), value_data(edge), edge, plain, as);
}
MOECNN_BODY void Program::read_grad(int edge, void* plain, DType as) const {
  check_values();
  backend_.finish();
  read_as(lowered_.grad_layout[edge].get(), grad_data(edge), edge, plain, as);
}
MOECNN_BODY void Program::seed(int edge, const void* plain, DType type) {
  check_values();
  write_as(lowered_.grad_layout[edge].get(), plain, type, grad_data(edge), edge);
}

MOECNN_BODY int Program::readable_edge(std::string_view name) const {
  const int e = graph_.find_edge(name);
  check(e >= 0, "there is no value named \"{}\"; names are those given in wire(), joined by dots", name);
  const auto in = [e](const std::vector<int>& list) { return std::find(list.begin(), list.end(), e) != list.end(); };
  check(in(graph_.outputs) || in(opts_.keep),
        "the memory of \"{}\" has been used again after it was read; name it in `keep` to look at it", name);
  return e;
}

/// All that this program needs and the store or the arena do not have yet, or Error where there is too little memory.
MOECNN_BODY void Program::allocate() {
  const bool first = store_.empty();
  const int recorded = graph_.recorded_params();
  derived_ = DerivedParams(graph_, recorded, lowered_.param_layout, store_.derived());
  MemoryNeed need{.folded = derived_.bytes(),
                  .activations = plan_.arena_bytes,
                  .given_back = arena_.bytes(),
                  .images = graph_.batch()};
  if (first || (opts_.training && !store_.has_gradients())) {
    const auto places =
        ParamStore::places({graph_.params.data(), static_cast<std::size_t>(recorded)}, lowered_.param_layout);
    if (first) need.parameters = places.all;
    if (opts_.training) need.gradients = places.trained;
  }
  check_memory(need, store_.memory_limit(), *name_);
  if (first) store_.adopt(graph_, lowered_.param_layout, backend_.memory());
  check(store_.size() == recorded, "{} has {} parameters, but its store holds {}; a store belongs to one network",
        *name_, recorded, store_.size());
  for (int i = 0; i < recorded; ++i)
    check(graph_.params[i].dtype == store_.spec(i).dtype,
          "{}: parameter {} is of type {} in the store and of type {} in the graph; give both the backend's numbers by "
          "passes::set_dtype()",
          *name_, store_.spec(i).name, name_of(store_.spec(i).dtype), name_of(graph_.params[i].dtype));
  if (opts_.training) store_.make_gradients();
  derived_.allocate(backend_.memory(), store_.derived());
  arena_.reserve(plan_.arena_bytes, name_);
}

MOECNN_BODY std::vector<std::size_t> Program::bytes(const Layouts& layouts) const {
  std::vector<std::size_t> b(graph_.edges.size());
  for (std::size_t e = 0; e < b.size(); ++e) b[e] = stored_bytes(graph_.edges[e], layouts[e].get());
  return b;
}

MOECNN_BODY void Program::read_as(const Layout* layout, const std::byte* from, int edge, void* plain, DType as) const {
  const Edge& e = graph_.edges[edge];
  check(from != nullptr, "edge {} (\"{}\") has no memory in this program", edge, e.name);
  const auto n = static_cast<std::size_t>(e.elements());
  std::vector<std::byte> host, ordered;
  if (!backend_.memory().on_host()) {
    host.resize(stored_bytes(e, layout));
    backend_.memory().copy_out(host.data(), from, host.size());
    from = host.data();
  }
  if (!layout) return convert(from, e.dtype, plain, as, n);
  if (as == e.dtype) return layout->unpack(from, plain);
  ordered.resize(n * size_of(e.dtype));
  layout->unpack(from, ordered.data());
  convert(ordered.data(), e.dtype, plain, as, n);
}

MOECNN_BODY void Program::write_as(const Layout* layout, const void* plain, DType type, std::byte* to, int edge) {
  const Edge& e = graph_.edges[edge];
  check(to != nullptr, "edge {} (\"{}\") has no memory in this program", edge, e.name);
  const auto n = static_cast<std::size_t>(e.elements());
  const bool on_host = backend_.memory().on_host();
  if (!layout && on_host) return convert(plain, type, to, e.dtype, n);
  if (type != e.dtype) {
    plain_.resize(n * size_of(e.dtype));
    convert(plain, type, plain_.data(), e.dtype, n);
    plain = plain_.data();
  }
  if (layout && on_host) return layout->pack(plain, to);
  if (layout) {
    stored_.resize(layout->bytes());
    layout->pack(plain, stored_.data());
    plain = stored_.data();
  }
  backend_.memory().copy_in(to, plain, stored_bytes(e, layout));
}

/// Throws unless the arena holds what this program has put there.
MOECNN_BODY void Program::check_owner(const char* what) const {
  if (given_images_ && arena_.owner() == name_) [[likely]]
    return;
  check(given_images_, "{} has no images yet; call set_images() before forward()", *name_);
  fail(
      "{} of {} are gone: all programs of a model share the memory of activations, and {} was made or given images "
      "since. Make all programs before the first run, use the values of one before the next gets its images, or give "
      "this one its images and run forward() again",
      what, *name_, arena_.owner() ? *arena_.owner() : std::string("another program"));
}
/// Throws unless the values of this program's last forward pass are there.
MOECNN_BODY void Program::check_values() const {
  check_owner("the values");
  check(ran_, "{} has images but no values yet; call forward() after set_images()", *name_);
}

MOECNN_BODY void Program::bind() {
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    Bindings b;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      b.input.push_back(value_data(node.inputs[i]));
      b.input_grad.push_back(flow_.input_mode[n][i] == GradMode::ignore ? nullptr : grad_data(node.inputs[i]));
    }
    b.output = value_data(node.output);
    b.output_grad = flow_.edge_grad[node.output] ? grad_data(node.output) : nullptr;
    for (std::size_t i = 0; i < node.params.size(); ++i)
      for (int e = 0; e < node.experts; ++e) {
        const int id = node.params[i] + e, source = graph_.params[id].source;
        b.param.push_back(id < store_.size() ? store_.value_data(id) : derived_.value_data(id));
        b.param_grad.push_back(flow_.param_mode[n][i] == GradMode::ignore ? nullptr
                                                                          : store_.grad_data(source < 0 ? id : source));
      }
    for (int s : plan_.saved[n]) b.saved.push_back(bytes_at(s));
    b.scratch_forward = bytes_at(plan_.scratch[n][0]);
    b.scratch_backward = bytes_at(plan_.scratch[n][1]);
    if (node.routing >= 0) {
      Routing& r = routings_[node.routing];
      b.routing = node.expert < 0 ? &r : &r.parts[static_cast<std::size_t>(node.expert)];
      b.routings = routings_.data();
      if (opts_.training) b.routing_grads = &routing_grads_[node.routing];
    }
    if (std::holds_alternative<ops::Route>(node.op))
      b.state = store_.state_data(graph_.routings[node.routing].state_id);
    lowered_.kernels[n]->bind(b);
  }
  bound_ = arena_.generation();
  refreshed_ = 0;
}

}  // namespace moecnn
