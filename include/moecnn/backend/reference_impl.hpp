#pragma once
#include "moecnn/backend/reference.hpp"
#include "moecnn/backend/reference/lowering.hpp"

namespace moecnn::backend {

MOECNN_BODY Lowered lower_reference(DType dtype, const Graph& g, const Flow& f) {
  return dtype == DType::f64 ? reference::lower<double>(g, f) : reference::lower<float>(g, f);
}

}  // namespace moecnn::backend
