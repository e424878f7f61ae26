#pragma once
#include "moecnn/backend/onednn.hpp"
#include "moecnn/backend/onednn/lowering.hpp"

namespace moecnn::backend {

MOECNN_BODY Lowered OneDnn::lower(const Graph& g, const Flow& f, const Layouts& given) {
  return onednn::with_channel_block([&](auto block) { return onednn::Lowering<block>(g, f, given).take(); });
}

}  // namespace moecnn::backend
