#pragma once
#include "moecnn/backend/onednn.hpp"
#include "moecnn/backend/onednn/lowering.hpp"
#include "moecnn/backend/onednn/primitive.hpp"

namespace moecnn::backend {

MOECNN_BODY Lowered OneDnn::lower(const Graph& g, const Flow& f, const Layouts& given) {
  return onednn::with_channel_block([&](auto block) { return onednn::Lowering<block>(g, f, given).take(); });
}

MOECNN_BODY CodeMade OneDnn::code_made() const {
  const onednn::CacheStats made = onednn::cache_stats();
  return {made.misses, made.seconds};
}

}  // namespace moecnn::backend
