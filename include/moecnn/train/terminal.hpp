#pragma once
/// \file
/// The abilities of the terminal, and texts that fit into it.

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "moecnn/core/error.hpp"

namespace moecnn {

struct Terminal {
  bool interactive = false;  ///< a person looks at it: a line may be drawn over
  bool colour = false;       ///< the same, and NO_COLOR is not set
  bool utf8 = false;

  static Terminal of(std::FILE* to) {
    const auto get = [](const char* name) {
      const char* value = std::getenv(name);
      return std::string_view(value ? value : "");
    };
    Terminal t;
    t.interactive = to && ::isatty(::fileno(to)) != 0 && get("TERM") != "dumb";
    t.colour = t.interactive && get("NO_COLOR").empty();
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
      if (get(name).empty()) continue;
      t.utf8 = get(name).find("UTF-8") != std::string_view::npos || get(name).find("utf8") != std::string_view::npos;
      break;
    }
    return t;
  }

  /// Columns, 80 where nobody knows.
  static int width(std::FILE* to) {
    winsize size{};
    return to && ::ioctl(::fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  }
};

/// Columns that a text takes; every code point counts as one.
inline int columns(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// "4:05", "1:02:07".
inline std::string clock_text(double seconds) {
  const long long s = seconds > 0 && seconds < 1e9 ? static_cast<long long>(seconds + 0.5) : 0;
  return s < 3600 ? formatted("{}:{:02}", s / 60, s % 60) : formatted("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

/// "154", and of slow things "3.4".
inline std::string rate_text(double per_second) {
  return per_second < 10 ? formatted("{:.1f}", per_second) : formatted("{:.0f}", per_second);
}

/// Shares as tiny bars, "▂▇▃▄", full height = twice the even share; without UTF-8 as "12/44/20/24 %".
inline std::string tiny_bars(std::span<const double> shares, bool utf8) {
  static constexpr const char* heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string text;
  for (std::size_t e = 0; e < shares.size(); ++e) {
    const double height = shares[e] * static_cast<double>(shares.size()) / 2;
    if (utf8)
      text += shares[e] > 0 ? heights[std::clamp(static_cast<int>(height * 8), 0, 7)] : "·";
    else
      text += formatted("{}{:.0f}", e ? "/" : "", 100 * shares[e]);
  }
  return utf8 ? text : text + " %";
}

}  // namespace moecnn
