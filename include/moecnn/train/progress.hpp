#pragma once
/// \file
/// The line that tells how training goes.

#include <cstdio>

namespace moecnn {

enum class ShowProgress { automatic, bar, lines, none };

struct ProgressOpts {
  ShowProgress show = ShowProgress::automatic;  ///< a bar on a terminal, else lines
  std::FILE* to = stderr;
  double line_seconds = 30;  ///< without a terminal: a line every so many seconds, and at the end of epochs
};

}  // namespace moecnn
