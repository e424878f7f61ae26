#pragma once
/// \file
/// The interface of backends, which run graphs.

#include "moecnn/core/device_buffer.hpp"
#include "moecnn/graph/kernel.hpp"
#include "moecnn/graph/parameter_math.hpp"

namespace moecnn {

/// Pieces of machine code, such as oneDNN's primitives, and the seconds that making them took.
struct CodeMade {
  long long count = 0;
  double seconds = 0;
};

/// A backend is an object that owns the memory in which tensors lie and turns graphs into kernels. Programs, parameters and
/// training know it by this interface alone.
class Backend {
 public:
  virtual ~Backend() = default;
  /// For messages and reports: "onednn".
  virtual std::string title() const = 0;
  /// The type of values, parameters and gradients, where no pass chooses another.
  virtual DType dtype() const = 0;
  /// Whether kernels also take values of that type; parameters and statistics then stay of type dtype().
  virtual bool takes(DType values) const { return values == dtype(); }
  /// Whether kernels of nodes with values in a lower type read copies of weights in that type; false: the weights of type
  /// dtype() themselves.
  virtual bool low_weights() const { return true; }
  virtual Memory& memory() { return host_memory(); }
  /// A kernel for each node, and how it stores tensors. `given`: layouts of parameters that are decided already.
  virtual Lowered lower(const Graph& g, const Flow& f, const Layouts& given) = 0;
  /// Passes over all parameters at once, for optimisers and clipping.
  virtual ParameterMath& math() = 0;
  /// Code made for kernels so far, where a backend makes any; a run's log reports new code.
  virtual CodeMade code_made() const { return {}; }
  /// Waits until everything that was started is done.
  virtual void finish() {}
};

}  // namespace moecnn
