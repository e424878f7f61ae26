#pragma once
/// \file
/// The owner of everything a network learns: values, gradients and the constraints' state, one allocation each.

#include "moecnn/core/aligned.hpp"
#include "moecnn/core/memory.hpp"
#include "moecnn/core/rng.hpp"
#include "moecnn/graph/kernel.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>

namespace moecnn {

/// Parameters come first and in one stretch, buffers (running statistics) after them, each in the layout that the
/// backend chose. read() and write() speak plain row-major order, as files do.
template <class T>
class ParamStore {
 public:
  bool empty() const { return specs_.empty(); }

  /// Where each parameter begins, in elements, and how many there are in all.
  struct Places {
    std::vector<std::size_t> offsets;
    std::size_t trained = 0, all = 0;
  };
  static Places places(const std::vector<ParamSpec>& specs, const ParamLayouts<T>& layouts) {
    Places p;
    p.offsets.resize(specs.size());
    for (const bool trained : {true, false}) {
      for (std::size_t i = 0; i < specs.size(); ++i)
        if (specs[i].trained == trained) {
          p.offsets[i] = p.all;
          const bool plain = i >= layouts.size() || !layouts[i];
          const auto n = plain ? static_cast<std::size_t>(specs[i].elements()) : layouts[i]->elements();
          p.all += (n + lanes - 1) / lanes * lanes;
        }
      if (trained) p.trained = p.all;
    }
    return p;
  }

  /// How much memory may be taken for what is stored here and in programs of this store; set before the first of them.
  void limit_memory(const MemoryLimit& limit) { memory_limit_ = limit; }
  const MemoryLimit& memory_limit() const { return memory_limit_; }

  /// Takes the parameters of a recorded graph; called once, by the model's first program.
  void adopt(const Graph& g, const ParamLayouts<T>& layouts) {
    check(empty(), "the parameter store already holds a network");
    specs_ = g.params;
    layouts_ = layouts;
    layouts_.resize(specs_.size());
    state_specs_ = g.states;
    Places p = places(specs_, layouts_);
    offsets_ = std::move(p.offsets);
    trained_elements_ = p.trained;
    values_ = AlignedBuffer(p.all * sizeof(T));
    for (std::size_t i = 0; i < specs_.size(); ++i) ids_.emplace(specs_[i].name, static_cast<int>(i));
    int doubles = 0;
    for (const StateSpec& s : state_specs_) state_offsets_.push_back(doubles), doubles += s.size;
    state_.assign(doubles, 0.0);
  }

  /// Gradients are allocated by the first training program.
  void make_gradients() {
    if (grads_.bytes() == 0) grads_ = AlignedBuffer(trained_elements_ * sizeof(T));
  }

  int size() const { return static_cast<int>(specs_.size()); }
  const ParamSpec& spec(int i) const { return specs_[i]; }
  const ParamLayouts<T>& layouts() const { return layouts_; }
  std::size_t stored_elements(int i) const {
    return layouts_[i] ? layouts_[i]->elements() : static_cast<std::size_t>(specs_[i].elements());
  }
  /// Id of a parameter or buffer; -1 if there is none of that name.
  int find(const std::string& name) const {
    const auto i = ids_.find(name);
    return i == ids_.end() ? -1 : i->second;
  }

  T* value(int i) const { return values_.as<T>() + offsets_[i]; }
  T* grad(int i) const { return specs_[i].trained && grads_.bytes() ? grads_.as<T>() + offsets_[i] : nullptr; }
  /// Offset of a trained parameter inside the two spans below, for optimiser state that is kept alongside.
  std::size_t offset(int i) const { return offsets_[i]; }

  /// All trained parameters, padding included, and their gradients: what an optimiser walks over.
  std::span<T> trained() const { return {values_.as<T>(), trained_elements_}; }
  std::span<T> gradients() const { return {grads_.as<T>(), grads_.bytes() ? trained_elements_ : 0}; }

  // Plain order, as in files.

  void read(int i, T* plain) const { read_as(i, value(i), plain); }
  void write(int i, const T* plain) {
    write_as(i, plain, value(i));
    touch();
  }
  /// Like read() and write() for any memory that is stored like parameter i: gradients, optimiser state.
  void read_as(int i, const T* stored, T* plain) const {
    if (layouts_[i])
      layouts_[i]->unpack(stored, plain);
    else
      std::copy_n(stored, specs_[i].elements(), plain);
  }
  void write_as(int i, const T* plain, T* stored) const {
    if (layouts_[i])
      layouts_[i]->pack(plain, stored);
    else
      std::copy_n(plain, specs_[i].elements(), stored);
  }
  std::vector<T> read(int i) const {
    std::vector<T> plain(specs_[i].elements());
    read(i, plain.data());
    return plain;
  }

  // The constraints' state.

  const std::vector<StateSpec>& states() const { return state_specs_; }
  std::span<double> state(int i) { return {state_.data() + state_offsets_[i], std::size_t(state_specs_[i].size)}; }
  double* state_data(int i) {
    return i >= 0 && i < static_cast<int>(state_offsets_.size()) ? state_.data() + state_offsets_[i] : nullptr;
  }

  /// Changes whenever values do; programs refresh what they derive from them.
  std::uint64_t version() const { return version_; }
  void touch() { ++version_; }

  /// Draws every parameter from its own stream, keyed by its name: the same values whatever else the network holds.
  void initialise(std::uint64_t seed) {
    std::vector<T> plain;
    for (int i = 0; i < size(); ++i) {
      const ParamSpec& p = specs_[i];
      plain.assign(p.elements(), p.init == Init::ones ? T(1) : p.init == Init::quarter ? T(0.25) : T(0));
      const Rng rng(seed, Purpose::init, hash_name(p.name));
      long long pixels = 1;
      for (std::size_t d = 2; d < p.shape.size(); ++d) pixels *= p.shape[d];
      const double fan_in =
          p.fan_in > 0 ? p.fan_in : static_cast<double>(pixels) * (p.shape.size() > 1 ? p.shape[1] : 1);
      const double fan_out = static_cast<double>(pixels) * p.shape[0];
      if (p.init == Init::kaiming_uniform || p.init == Init::fan_in_uniform)
        for (std::size_t j = 0; j < plain.size(); ++j)
          plain[j] = static_cast<T>((2 * rng.uniform(j) - 1) / std::sqrt(fan_in));
      if (p.init == Init::kaiming_normal || p.init == Init::normal)
        for (std::size_t j = 0; j < plain.size(); ++j)
          plain[j] = static_cast<T>(rng.normal(j) * (p.init == Init::normal ? 1 : std::sqrt(2 / fan_out)));
      write(i, plain.data());
    }
    std::fill(state_.begin(), state_.end(), 0.0);
  }

 private:
  static constexpr std::size_t lanes = 16;  // every tensor starts on a cache line

  std::vector<ParamSpec> specs_;
  std::vector<StateSpec> state_specs_;
  ParamLayouts<T> layouts_;
  std::vector<std::size_t> offsets_;
  std::size_t trained_elements_ = 0;
  AlignedBuffer values_, grads_;
  std::vector<double> state_;
  std::vector<int> state_offsets_;
  std::unordered_map<std::string, int> ids_;
  std::uint64_t version_ = 1;
  MemoryLimit memory_limit_ = MemoryLimit::system();
};

}  // namespace moecnn
