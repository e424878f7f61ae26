#pragma once
/// \file
/// Characters of UTF-8 (RFC 3629).

#include <cstddef>

namespace moecnn::io {

/// Bytes of the character that begins at `text`, which ends with a byte of 0; 0 when there is none: a wrong byte, one that
/// is missing, a longer form than needed, a surrogate, or a number above 0x10ffff.
inline std::size_t utf8_length(const char* text) {
  const auto byte = [&](int i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](int i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return follows(1) ? 2 : 0;
  if (first < 0xf0) return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
}

/// Writes a character of number `point` and returns its bytes, 1 to 4.
inline std::size_t put_utf8(unsigned point, char* bytes) {
  const std::size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  if (n == 1) {
    bytes[0] = static_cast<char>(point);
    return 1;
  }
  for (std::size_t i = n - 1; i > 0; --i, point >>= 6) bytes[i] = static_cast<char>(0x80 | (point & 0x3f));
  constexpr unsigned mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
  bytes[0] = static_cast<char>(mark[n] | point);
  return n;
}

}  // namespace moecnn::io
