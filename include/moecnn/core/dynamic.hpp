#pragma once
/// \file
/// The constant that stands for "known only at run time", as std::dynamic_extent does for std::span.

namespace moecnn {

/// `TopK<dynamic>` and `MoE<Expert, dynamic, …>` take their numbers from members instead of from the type.
inline constexpr int dynamic = -1;

}  // namespace moecnn
