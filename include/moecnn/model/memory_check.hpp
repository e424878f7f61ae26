#pragma once
/// \file
/// Compares the memory that a program is about to allocate with the memory at hand.

#include "moecnn/core/error.hpp"
#include "moecnn/core/memory.hpp"

#include <algorithm>

namespace moecnn {

/// Bytes that are to be allocated, by what for.
struct MemoryNeed {
  std::uint64_t parameters = 0, gradients = 0;
  std::uint64_t folded = 0;       ///< weights with the batch norm folded in
  std::uint64_t moments = 0;      ///< of the optimiser
  std::uint64_t activations = 0;  ///< the arena
  std::uint64_t given_back = 0;   ///< the arena of before
  int images = 0;                 ///< batch size; activations grow with it

  std::uint64_t fixed() const { return parameters + gradients + folded + moments; }
  std::uint64_t total() const { return fixed() + activations - std::min(activations, given_back); }
};

/// Throws Error where `who` needs more than there is, saying how much for what, how much is left, and what would fit.
inline void check_memory(const MemoryNeed& need, const MemoryLimit& limit, const std::string& who) {
  const auto left = limit.left(need.total());
  if (!left || MemoryLimit::fits(need.total(), *left)) return;
  std::string parts;
  const auto add = [&](const char* what, std::uint64_t bytes) {
    if (bytes > 0) parts += formatted("{}{} for {}", parts.empty() ? "" : ", ", memory_text(bytes), what);
  };
  add("parameters", need.parameters);
  add("gradients", need.gradients);
  add("weights with batch norms folded in", need.folded);
  add("the optimiser's moments", need.moments);
  add("activations", need.activations - std::min(need.activations, need.given_back));

  // Activations grow with the batch, and so do few other things.
  const std::uint64_t room = *left + *left / 50 + need.given_back;
  int images = 0;
  if (need.activations > 0 && room > need.fixed())
    images = static_cast<int>(need.images *
                              (static_cast<double>(room - need.fixed()) / static_cast<double>(need.activations)));
  const std::string advice = images > 0 ? formatted("a batch of {} would fit", images)
                                        : std::string(need.images > 1 ? "not even a batch of 1 would fit: " : "") +
                                              "choose fewer experts or narrower layers";
  fail(
      "{} needs {} of memory ({}), and {} are left; {}. (ModelOpts::memory = MemoryLimit::none() switches this check "
      "off.)",
      who, memory_text(need.total()), parts, memory_text(*left), advice);
}

}  // namespace moecnn
