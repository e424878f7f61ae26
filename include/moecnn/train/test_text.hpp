#pragma once
/// \file
/// A test in words.

#include "moecnn/train/result.hpp"
#include "moecnn/train/terminal.hpp"

namespace moecnn {

/// "; test: loss 1.234, top-1 56.00 %, top-5 80.00 %, layer4 load 20/30/50 %".
inline std::string test_text(const TestRecord& t, const std::vector<MixtureInfo>& mixtures) {
  std::string text = formatted("; test: loss {:.3f}", t.loss);
  for (const Score& s : t.scores) text += ", " + s.text();
  for (std::size_t m = 0; m < t.mixtures.size(); ++m)
    text += formatted(", {} load {}", mixtures[m].name, tiny_bars(t.mixtures[m].load, false));
  return text;
}

}  // namespace moecnn
