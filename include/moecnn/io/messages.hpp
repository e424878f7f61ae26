#pragma once
/// \file
/// Pieces of error texts about files: names taken from a file made printable, shapes, and what the system's error
/// means for the user.

#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace moecnn::io {

/// The same text with '?' for control characters: one from a hostile file could repaint the terminal.
inline std::string without_controls(std::string_view text) {
  std::string all(text);
  for (char& c : all)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return all;
}

/// A name as messages show it: in quotes, control characters as '?', cut after 80 bytes. A hostile file can hold a
/// name of 100 MB.
inline std::string printable(std::string_view name) {
  constexpr std::size_t longest = 80;
  return "'" + without_controls(name.substr(0, longest)) + (name.size() > longest ? "…'" : "'");
}

/// "[64, 3, 3, 3]"; at most 12 sizes are shown.
inline std::string shape_text(std::span<const std::int64_t> shape) {
  constexpr std::size_t longest = 12;
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size() && i < longest; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  if (shape.size() > longest) text += ", …";
  return text + "]";
}

/// The system's words for `error` (an errno value) and what the user can do about it.
inline std::string os_reason(int error) {
  std::string text = std::generic_category().message(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT: return text + "; free some space or choose another folder";
    case EFBIG: return text + "; raise the limit on file sizes (ulimit -f) or choose another folder";
    case ENOENT:
    case ENOTDIR: return text + "; check the path and create the folder if it is missing";
    case EACCES:
    case EPERM:
    case EROFS: return text + "; check the permissions or choose another folder";
    default: return text;
  }
}

}  // namespace moecnn::io
