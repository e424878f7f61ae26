#pragma once
/// \file
/// The owner of everything a network learns: values, gradients and the constraints' state, one allocation each.

#include "moecnn/core/convert.hpp"
#include "moecnn/core/device_buffer.hpp"
#include "moecnn/core/memory.hpp"
#include "moecnn/core/rng.hpp"
#include "moecnn/model/derived_pool.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>

namespace moecnn {

/// Parameters come first and in one stretch, buffers (running statistics) after them, each in the type of its
/// specification and in the layout that the backend chose. read() and write() speak plain row-major order, as files do,
/// and convert from and to any floating-point type.
class ParamStore {
 public:
  bool empty() const { return specs_.empty(); }

  /// Where each parameter begins, in bytes, and how many bytes there are in all.
  struct Places {
    std::vector<std::size_t> offsets;
    std::size_t trained = 0, all = 0;
  };
  static Places places(std::span<const ParamSpec> specs, const Layouts& layouts) {
    Places p;
    p.offsets.resize(specs.size());
    for (const bool trained : {true, false}) {
      for (std::size_t i = 0; i < specs.size(); ++i)
        if (specs[i].trained == trained) {
          p.offsets[i] = p.all;
          p.all += place_bytes(specs[i], i < layouts.size() ? layouts[i].get() : nullptr);
        }
      if (trained) p.trained = p.all;
    }
    return p;
  }

  /// How much memory may be taken for what is stored here and in programs of this store; set before the first of them.
  void limit_memory(const MemoryLimit& limit) { memory_limit_ = limit; }
  const MemoryLimit& memory_limit() const { return memory_limit_; }

  /// Takes the parameters that were recorded in a graph; called once, by the model's first program. `memory` outlives the
  /// store.
  void adopt(const Graph& g, const Layouts& layouts, Memory& memory = host_memory()) {
    check(empty(), "the parameter store already holds a network");
    memory_ = &memory;
    specs_.assign(g.params.begin(), g.params.begin() + g.recorded_params());
    layouts_ = layouts;
    layouts_.resize(specs_.size());
    state_specs_ = g.states;
    const auto first = std::find_if(specs_.begin(), specs_.end(), [](const ParamSpec& p) { return p.trained; });
    if (first != specs_.end()) dtype_ = first->dtype;
    for (const ParamSpec& p : specs_)
      check(!p.trained || p.dtype == dtype_, "{} is of type {}, but {} of type {}; trained parameters have one type",
            p.name, name_of(p.dtype), first->name, name_of(dtype_));
    Places p = places(specs_, layouts_);
    offsets_ = std::move(p.offsets);
    trained_elements_ = p.trained / size_of(dtype_);
    values_ = DeviceBuffer(memory, p.all);
    for (std::size_t i = 0; i < specs_.size(); ++i) ids_.emplace(specs_[i].name, static_cast<int>(i));
    int doubles = 0;
    for (const StateSpec& s : state_specs_) state_offsets_.push_back(doubles), doubles += s.size;
    state_.assign(doubles, 0.0);
  }

  /// Gradients are allocated by the first training program.
  void make_gradients() {
    if (grads_.bytes() == 0) grads_ = DeviceBuffer(*memory_, trained_bytes());
  }
  bool has_gradients() const { return grads_.bytes() > 0; }

  int size() const { return static_cast<int>(specs_.size()); }
  const ParamSpec& spec(int i) const { return specs_[i]; }
  /// Whether training leaves parameter i as it is. Programs that are there go on as they were made; AnyModel::freeze()
  /// makes them anew.
  void set_frozen(int i, bool frozen) { specs_[i].frozen = frozen; }
  const Layouts& layouts() const { return layouts_; }
  Memory& memory() const { return *memory_; }
  /// Type of the trained parameters, their gradients and moments.
  DType dtype() const { return dtype_; }
  /// Padding included.
  std::size_t stored_elements(int i) const {
    return stored_bytes(specs_[i], layouts_[i].get()) / size_of(specs_[i].dtype);
  }
  /// Id of a parameter or buffer; -1 if there is none of that name.
  int find(const std::string& name) const {
    const auto i = ids_.find(name);
    return i == ids_.end() ? -1 : i->second;
  }

  // As stored, in the backend's memory.

  std::byte* value_data(int i) const { return values_.data() + offsets_[i]; }
  /// Null for buffers, and before the first training program.
  std::byte* grad_data(int i) const {
    return specs_[i].trained && has_gradients() ? grads_.data() + offsets_[i] : nullptr;
  }
  /// Bytes between the first trained parameter and this one, also in gradients and moments.
  std::size_t offset(int i) const { return offsets_[i]; }
  /// Where trained parameter i ends and the next one begins.
  std::size_t next_offset(int i) const { return offsets_[i] + place_bytes(specs_[i], layouts_[i].get()); }
  std::byte* trained_data() const { return values_.data(); }
  std::byte* gradient_data() const { return grads_.data(); }
  /// Of all trained parameters, padding included.
  std::size_t trained_elements() const { return trained_elements_; }
  std::size_t trained_bytes() const { return trained_elements_ * size_of(dtype_); }

  // The same for a backend on the host, by type. Throws Error where the elements have another.

  template <class T>
  T* value(int i) const {
    return typed<T>(value_data(i), specs_[i].dtype);
  }
  template <class T>
  T* grad(int i) const {
    return typed<T>(grad_data(i), specs_[i].dtype);
  }
  /// All trained parameters, padding included, and their gradients: what an optimiser walks over.
  template <class T>
  std::span<T> trained() const {
    if (trained_elements_ == 0) return {};
    return {typed<T>(values_.data(), dtype_), trained_elements_};
  }
  template <class T>
  std::span<T> gradients() const {
    if (!has_gradients()) return {};
    return {typed<T>(grads_.data(), dtype_), trained_elements_};
  }

  // Plain order on the host, as in files.

  /// Elements of T, converted. By default doubles, which hold every number exactly.
  template <class T = double>
  std::vector<T> read(int i) const {
    std::vector<T> plain(static_cast<std::size_t>(specs_[i].elements()));
    read(i, plain.data());
    return plain;
  }
  template <class T>
  void read(int i, T* plain) const {
    read_as(i, value_data(i), plain, dtype_of<T>);
  }
  template <class T>
  void write(int i, const T* plain) {
    write_as(i, plain, dtype_of<T>, value_data(i));
    touch();
  }
  template <class T = double>
  std::vector<T> read_grad(int i) const {
    std::vector<T> plain(static_cast<std::size_t>(specs_[i].elements()));
    check(grad_data(i) != nullptr, "{} has no gradient", specs_[i].name);
    read_as(i, grad_data(i), plain.data(), dtype_of<T>);
    return plain;
  }
  /// The same for any memory that is stored like parameter i: gradients, optimiser state.
  void read_as(int i, const std::byte* stored, void* plain, DType as) const {
    const auto n = static_cast<std::size_t>(specs_[i].elements());
    std::vector<std::byte> host, ordered;
    if (!memory_->on_host()) {
      host.resize(stored_bytes(specs_[i], layouts_[i].get()));
      memory_->copy_out(host.data(), stored, host.size());
      stored = host.data();
    }
    if (!layouts_[i]) return convert(stored, specs_[i].dtype, plain, as, n);
    if (as == specs_[i].dtype) return layouts_[i]->unpack(stored, plain);
    ordered.resize(n * size_of(specs_[i].dtype));
    layouts_[i]->unpack(stored, ordered.data());
    convert(ordered.data(), specs_[i].dtype, plain, as, n);
  }
  void write_as(int i, const void* plain, DType as, std::byte* stored) const {
    const auto n = static_cast<std::size_t>(specs_[i].elements());
    std::vector<std::byte> host, ordered;
    std::byte* to = stored;
    if (!memory_->on_host()) {
      host.resize(stored_bytes(specs_[i], layouts_[i].get()));
      to = host.data();
    }
    if (!layouts_[i]) {
      convert(plain, as, to, specs_[i].dtype, n);
    } else if (as == specs_[i].dtype) {
      layouts_[i]->pack(plain, to);
    } else {
      ordered.resize(n * size_of(specs_[i].dtype));
      convert(plain, as, ordered.data(), specs_[i].dtype, n);
      layouts_[i]->pack(ordered.data(), to);
    }
    if (to != stored) memory_->copy_in(stored, to, host.size());
  }

  // The constraints' state.

  const std::vector<StateSpec>& states() const { return state_specs_; }
  std::span<double> state(int i) { return {state_.data() + state_offsets_[i], std::size_t(state_specs_[i].size)}; }
  double* state_data(int i) {
    return i >= 0 && i < static_cast<int>(state_offsets_.size()) ? state_.data() + state_offsets_[i] : nullptr;
  }

  /// Parameters that programs have derived from these.
  DerivedPool& derived() { return derived_; }
  const DerivedPool& derived() const { return derived_; }

  /// Changes whenever values do; programs refresh what they derive from them.
  std::uint64_t version() const { return version_; }
  void touch() { ++version_; }

  /// Draws every parameter from its own stream, keyed by its name: the same values whatever else the network holds.
  void initialise(std::uint64_t seed) {
    std::vector<double> plain;
    for (int i = 0; i < size(); ++i) {
      draw(specs_[i], seed, plain);
      write(i, plain.data());
    }
    std::fill(state_.begin(), state_.end(), 0.0);
  }

 private:
  static constexpr std::size_t line = 64;  // every tensor starts on a cache line
  static std::size_t place_bytes(const ParamSpec& p, const Layout* layout) {
    return (stored_bytes(p, layout) + line - 1) / line * line;
  }

  static void draw(const ParamSpec& p, std::uint64_t seed, std::vector<double>& plain) {
    plain.assign(static_cast<std::size_t>(p.elements()), p.init == Init::ones      ? 1.0
                                                         : p.init == Init::quarter ? 0.25
                                                                                   : 0.0);
    const Rng rng(seed, Purpose::init, hash_name(p.name));
    long long pixels = 1;
    for (std::size_t d = 2; d < p.shape.size(); ++d) pixels *= p.shape[d];
    const double fan_in = p.fan_in > 0 ? p.fan_in : static_cast<double>(pixels) * (p.shape.size() > 1 ? p.shape[1] : 1);
    const double fan_out = static_cast<double>(pixels) * p.shape[0];
    if (p.init == Init::kaiming_uniform || p.init == Init::fan_in_uniform)
      for (std::size_t j = 0; j < plain.size(); ++j) plain[j] = (2 * rng.uniform(j) - 1) / std::sqrt(fan_in);
    if (p.init == Init::kaiming_normal || p.init == Init::normal)
      for (std::size_t j = 0; j < plain.size(); ++j)
        plain[j] = rng.normal(j) * (p.init == Init::normal ? 1 : std::sqrt(2 / fan_out));
    for (double& v : plain) v *= p.scale;
  }

  template <class T>
  T* typed(std::byte* p, DType is) const {
    check(is == dtype_of<T>, "these elements are of type {}, not {}", name_of(is), name_of(dtype_of<T>));
    check(memory_->on_host(), "the host cannot follow addresses of this backend; use read() and write()");
    return reinterpret_cast<T*>(p);
  }

  Memory* memory_ = &host_memory();
  std::vector<ParamSpec> specs_;
  std::vector<StateSpec> state_specs_;
  Layouts layouts_;
  std::vector<std::size_t> offsets_;
  DType dtype_ = DType::f32;
  std::size_t trained_elements_ = 0;
  DeviceBuffer values_, grads_;
  std::vector<double> state_;
  std::vector<int> state_offsets_;
  std::unordered_map<std::string, int> ids_;
  std::uint64_t version_ = 1;
  DerivedPool derived_;
  MemoryLimit memory_limit_ = MemoryLimit::system();
};

}  // namespace moecnn
