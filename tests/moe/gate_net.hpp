#pragma once
#include "check_layer.hpp"
#include "moecnn/moe/gate.hpp"

namespace mixture_test {

using namespace moecnn;

/// A gate alone: its logits are the network's result.
template <class Gate, int N, int C = 5>
using GateNet = testing::detail::GateAlone<Gate, N, C>;

}  // namespace mixture_test
