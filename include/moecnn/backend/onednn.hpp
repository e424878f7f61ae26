#pragma once
/// \file
/// The oneDNN backend: float on CPUs, and bf16 for maps, which saves memory: products are computed in float. Convolutions
/// are oneDNN's, maps and weights lie as they want them from one end of the network to the other, and what is left
/// between convolutions are own loops over blocks of channels. Needs oneDNN 2.6 or later, 3.x included. Its internals,
/// onednn::options() among them, are in backend/onednn/.

#include "moecnn/backend/host/parameter_math.hpp"
#include "moecnn/core/bodies.hpp"
#include "moecnn/graph/backend.hpp"

namespace moecnn::backend {

class OneDnn : public Backend {
 public:
  using scalar = float;
  static constexpr const char* name = "onednn";

  std::string title() const override { return name; }
  DType dtype() const override { return DType::f32; }
  bool takes(DType values) const override { return values == DType::f32 || values == DType::bf16; }
  bool low_weights() const override { return false; }  // products are computed in float
  Lowered lower(const Graph& g, const Flow& f, const Layouts& given) override;
  ParameterMath& math() override { return math_; }
  /// Of the whole process.
  CodeMade code_made() const override;

 private:
  host::HostMath math_;
};

}  // namespace moecnn::backend

#if MOECNN_KERNEL_BODIES
#include "moecnn/backend/onednn_impl.hpp"
#endif
