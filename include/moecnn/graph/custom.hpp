#pragma once
/// \file
/// Operations that a user brings: declared and computed in a file of the user's own, recorded by `g.custom(MyOp{}, x)`.
/// HostOp (backend/host/host_op.hpp) is the short way to write one; docs/customising.md shows it.

#include "moecnn/graph/kernel.hpp"

#include <span>
#include <string_view>

namespace moecnn {

/// One row of a map: [channels, h, w].
struct MapShape {
  int channels = 0, h = 1, w = 1;
  friend bool operator==(const MapShape&, const MapShape&) = default;
  long long pixels() const { return static_cast<long long>(h) * w; }
  long long elements() const { return channels * pixels(); }
};

/// A parameter that an operation asks for, under the scope in which it is recorded; inside a mixture one per expert.
struct CustomParam {
  std::string name;
  std::vector<int> shape;
  Init init = Init::zeros;
  int fan_in = 0;       ///< for Init::fan_in_uniform
  bool trained = true;  ///< false: a buffer, stored and saved, which forward() may write in training
};

/// The backend and type that a kernel is requested for.
struct KernelTarget {
  std::string_view backend;  ///< Backend::title() without remarks: "reference", "onednn"
  DType dtype = DType::f32;  ///< in which the backend computes
};

/// An operation of a user's own. All tensors lie in plain order, whatever the backend stores around them. It maps rows to
/// rows, as many as there were: images, patches, or inside a mixture the rows of each expert.
///
/// Objects are constant from the moment in which they are recorded; graphs share them.
class CustomOp {
 public:
  virtual ~CustomOp() = default;

  /// For tables and messages: "swish".
  virtual std::string name() const = 0;
  /// Its settings in words, such as "2 groups": constants that change the result and are not parameters. A resumed run
  /// must have the same.
  virtual std::string settings() const { return {}; }

  /// The number of maps that it reads; 0: any number from one on.
  virtual int inputs() const { return 1; }
  /// The shape of the result. Throws Error, by check(), where it cannot take these maps.
  virtual MapShape output(std::span<const MapShape> in) const = 0;
  /// Its parameters, in the order in which kernels find them.
  virtual std::vector<CustomParam> params(std::span<const MapShape>) const { return {}; }
  /// Multiply-accumulates of one row, for the summary.
  virtual long long macs(std::span<const MapShape>) const { return 0; }

  /// False: no gradient passes, whatever lies behind it.
  virtual bool carries_gradient() const { return true; }
  /// True: it reads and writes the backend's own type even where a model runs with Precision::bf16.
  virtual bool full_precision() const { return false; }

  /// The kernel for node `n`, all of whose tensors are of type `target.dtype` in plain order; null where there is none for
  /// that target. See Kernel for what it owes.
  virtual std::unique_ptr<Kernel> lower(const KernelTarget& target, const Graph& g, const Flow& f, int n) const = 0;
};

namespace detail {

inline MapShape shape_of_row(const Edge& e) { return {e.channels, e.extent.h, e.extent.w}; }
inline std::vector<MapShape> shapes_of_rows(const Graph& g, const std::vector<int>& edges) {
  std::vector<MapShape> shapes;
  for (int e : edges) shapes.push_back(shape_of_row(g.edges[e]));
  return shapes;
}

}  // namespace detail

/// The kernel of a Custom node, or Error where its operation has none.
inline std::unique_ptr<Kernel> lower_custom(const KernelTarget& target, const Graph& g, const Flow& f, int n) {
  const CustomOp& op = *g.custom[static_cast<std::size_t>(std::get<ops::Custom>(g.nodes[n].op).id)];
  auto kernel = op.lower(target, g, f, n);
  check(kernel != nullptr,
        "{}: the operation {} has no kernel for the backend {} in {}; its lower() answers for which it has one",
        g.nodes[n].name.empty() ? std::string("the network") : g.nodes[n].name, op.name(), std::string(target.backend),
        name_of(target.dtype));
  return kernel;
}

}  // namespace moecnn
