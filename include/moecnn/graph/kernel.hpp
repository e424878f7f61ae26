#pragma once
/// \file
/// The contract between a program and a backend: a kernel is one node, lowered. It says what memory it needs, is handed
/// addresses once, and then runs without allocating or deciding anything. The contract is in bytes. The edge or
/// parameter of a tensor has its element type; kernels cast to their own types (backend/host does).

#include "moecnn/graph/flow.hpp"

#include <cstddef>
#include <cstring>
#include <string_view>

namespace moecnn {

/// How a backend stores a tensor. Null pointers to Layout mean plain row-major order as PyTorch has it.
class Layout {
 public:
  virtual ~Layout() = default;
  /// Stored bytes, padding included. Padding is always zero.
  virtual std::size_t bytes() const = 0;
  /// Between plain order and the stored one, both on the host, both in elements of the tensor's type.
  virtual void pack(const void* plain, void* stored) const = 0;
  virtual void unpack(const void* stored, void* plain) const = 0;
  /// Whether both store equal tensors in equal bytes: programs share derived parameters where that is so.
  virtual bool same_as(const Layout& other) const { return this == &other; }
  /// The layout that has the same elements in the same places, though of another type perhaps: a copy from one to the
  /// other need not know the order.
  virtual const Layout& order() const { return *this; }
};

/// Whether both store the elements of equal tensors in the same places; null is plain order.
inline bool same_order(const Layout* a, const Layout* b) {
  return a == b || (a && b && a->order().same_as(b->order()));
}

/// Layouts by edge or parameter. As an argument of lower(): those of parameters that another program of the same model
/// chose first, which this one has to live with; empty: choose freely.
using Layouts = std::vector<std::shared_ptr<const Layout>>;

/// StepContext::k: as the network was built, in a program that has room for more.
inline constexpr int as_built = -1;

/// Settings that may change from one run of a program to the next.
struct StepContext {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  bool noise_off = false;       ///< no gate noise, no dropout
  int fixed_expert = -1;        ///< ≥ 0: all rows go to this expert with weight 1
  std::string_view fixed_in{};  ///< pattern: of the mixtures whose names match it; empty: of all (core/glob.hpp)
  bool equal_weights = false;   ///< all experts run with weight 1/N; needs a program with k = every_expert
  int k = 0;                    ///< experts per row, at most those of the program, or as_built; 0: those of the program
};

/// Memory that one node asks for, in bytes, and what it still reads in its backward pass.
struct NodeNeeds {
  std::vector<char> keeps_input;   ///< per input: its value is read in backward
  bool keeps_output = false;       ///< the output's value is read in backward
  bool rebuilds_output = false;    ///< rebuild() makes the output again from what is kept anyway
  std::vector<std::size_t> saved;  ///< tensors written in forward and read in backward
  std::size_t scratch_forward = 0;
  std::size_t scratch_backward = 0;
  int inplace_forward = -1;   ///< the output may take over the memory of this input where that is its last use
  int inplace_backward = -1;  ///< the gradient of this input may take over the memory of the output's gradient
};

/// Addresses of one node's tensors, valid from bind() until the next bind(). T is void, or the type of all of them.
template <class T>
struct BindingsOf {
  std::vector<T*> input, input_grad;  ///< per input; gradient null where ignored
  T* output = nullptr;
  T* output_grad = nullptr;
  std::vector<T*> param, param_grad;  ///< per parameter and expert: [i * experts + e]; gradient null where ignored
  std::vector<std::byte*> saved;
  std::byte* scratch_forward = nullptr;
  std::byte* scratch_backward = nullptr;
  Routing* routing = nullptr;
  Routing* routings = nullptr;  ///< those of all mixtures, as in Graph::routings
  RoutingGrads* routing_grads = nullptr;
  double* state = nullptr;  ///< Route: the constraint's state

  BindingsOf() = default;
  BindingsOf(const BindingsOf&) = default;
  BindingsOf& operator=(const BindingsOf&) = default;
  /// The same addresses as those of another type.
  template <class U>
  explicit BindingsOf(const BindingsOf<U>& b)
      : input(all_of(b.input)),
        input_grad(all_of(b.input_grad)),
        output(static_cast<T*>(b.output)),
        output_grad(static_cast<T*>(b.output_grad)),
        param(all_of(b.param)),
        param_grad(all_of(b.param_grad)),
        saved(b.saved),
        scratch_forward(b.scratch_forward),
        scratch_backward(b.scratch_backward),
        routing(b.routing),
        routings(b.routings),
        routing_grads(b.routing_grads),
        state(b.state) {}

 private:
  template <class U>
  static std::vector<T*> all_of(const std::vector<U*>& pointers) {
    std::vector<T*> list;
    for (U* p : pointers) list.push_back(static_cast<T*>(p));
    return list;
  }
};
using Bindings = BindingsOf<void>;

class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual NodeNeeds needs() const = 0;
  virtual void bind(const Bindings& b) = 0;
  virtual void forward(const StepContext& step) = 0;
  /// Writes the output once more, to the same bits, from kept inputs and saved tensors. Called between forward and
  /// backward where the program has used the output's memory for something else.
  virtual void rebuild() {}
  /// Gradients are handed over in the order of the inputs: where one edge is two inputs of a node, the first overwrites
  /// and the second adds.
  virtual void backward(const StepContext&) {}
  /// Called before a forward pass whenever parameters have changed since the last one.
  virtual void refresh() {}
};

/// A graph lowered to a backend: kernels, and how each edge and parameter is stored.
struct Lowered {
  std::vector<std::unique_ptr<Kernel>> kernels;  ///< per node
  Layouts value_layout, grad_layout;             ///< per edge; null: plain
  Layouts param_layout;                          ///< per parameter; null: plain
};

/// Stored bytes of an edge's tensor.
inline std::size_t stored_bytes(const Edge& e, const Layout* layout) {
  return layout ? layout->bytes() : static_cast<std::size_t>(e.elements()) * size_of(e.dtype);
}
/// Stored bytes of a parameter.
inline std::size_t stored_bytes(const ParamSpec& p, const Layout* layout) {
  return layout ? layout->bytes() : static_cast<std::size_t>(p.elements()) * size_of(p.dtype);
}

}  // namespace moecnn
