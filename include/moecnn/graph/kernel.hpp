#pragma once
/// \file
/// The contract between a program and a backend: a kernel is one node, lowered. It says what memory it needs, is handed
/// pointers once, and then runs without allocating or deciding anything.

#include "moecnn/graph/flow.hpp"

#include <cstddef>
#include <cstring>

namespace moecnn {

/// How a backend stores a tensor. Null pointers to Layout mean plain row-major order as PyTorch has it.
template <class T>
class Layout {
 public:
  virtual ~Layout() = default;
  /// Stored elements, padding included. Padding is always zero.
  virtual std::size_t elements() const = 0;
  virtual void pack(const T* plain, T* stored) const = 0;
  virtual void unpack(const T* stored, T* plain) const = 0;
};

/// What may change from one run of a program to the next.
struct StepContext {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  bool noise_off = false;      ///< no gate noise, no dropout
  int fixed_expert = -1;       ///< ≥ 0: all rows go to this expert with weight 1
  bool equal_weights = false;  ///< all experts run with weight 1/N; needs a program with k = every_expert
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

/// Pointers of one node, valid from bind() until the next bind(). T is the backend's scalar.
template <class T>
struct Bindings {
  std::vector<T*> input, input_grad;  ///< per input; gradient null where ignored
  T* output = nullptr;
  T* output_grad = nullptr;
  std::vector<T*> param, param_grad;  ///< per parameter and copy: [i * copies + e]; gradient null where ignored
  std::vector<std::byte*> saved;
  std::byte* scratch_forward = nullptr;
  std::byte* scratch_backward = nullptr;
  Routing* routing = nullptr;
  RoutingSlopes* slopes = nullptr;
  double* state = nullptr;      ///< Route: the constraint's state
  const int* labels = nullptr;  ///< CrossEntropy: one per row and pixel
  double* loss = nullptr;       ///< CrossEntropy: where forward puts the mean loss, without its factor
};

template <class T>
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual NodeNeeds needs() const = 0;
  virtual void bind(const Bindings<T>& b) { at = b; }
  virtual void forward(const StepContext& step) = 0;
  /// Writes the output once more, to the same bits, from kept inputs and saved tensors. Called between forward and
  /// backward where the program has used the output's memory for something else.
  virtual void rebuild() {}
  /// Gradients are handed over in the order of the inputs: where one edge is two inputs of a node, the first overwrites
  /// and the second adds.
  virtual void backward(const StepContext&) {}
  /// Called before a forward pass whenever parameters have changed since the last one.
  virtual void refresh() {}

 protected:
  Bindings<T> at;
};

/// A graph lowered to a backend: kernels, and how each edge and parameter is stored.
template <class T>
struct Lowered {
  std::vector<std::unique_ptr<Kernel<T>>> kernels;             ///< per node
  std::vector<std::shared_ptr<const Layout<T>>> value_layout;  ///< per edge; null: plain
  std::vector<std::shared_ptr<const Layout<T>>> grad_layout;   ///< per edge; null: plain
  std::vector<std::shared_ptr<const Layout<T>>> param_layout;  ///< per parameter; null: plain
};

/// Parameter layouts that a program has to live with because another program of the same model chose them first.
/// Empty: choose freely.
template <class T>
using ParamLayouts = std::vector<std::shared_ptr<const Layout<T>>>;

}  // namespace moecnn
