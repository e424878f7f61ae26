#pragma once
/// A time for people.

#include <moecnn/core/format.hpp>

/// "45 s", "12.5 min", "3.2 h", "4.0 days".
inline std::string time_text(double seconds) {
  return seconds < 90       ? moecnn::formatted("{:.0f} s", seconds)
         : seconds < 7200   ? moecnn::formatted("{:.1f} min", seconds / 60)
         : seconds < 172800 ? moecnn::formatted("{:.1f} h", seconds / 3600)
                            : moecnn::formatted("{:.1f} days", seconds / 86400);
}
