#pragma once
/// \file
/// Text for the page: the difference between text and markup as a type, escaping, and numbers for people.

#include "moecnn/core/format.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace moecnn::report {

/// Finished HTML. A plain string is never taken for markup, so forgetting to escape is a compile error.
struct Markup {
  std::string html;

  Markup& operator+=(const Markup& other) {
    html += other.html;
    return *this;
  }
};

/// Length in bytes of the well-formed UTF-8 character that starts `text`, or 0.
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t n = first >= 0xC2 && first <= 0xDF   ? 2
                        : first >= 0xE0 && first <= 0xEF ? 3
                        : first >= 0xF0 && first <= 0xF4 ? 4
                                                         : 0;
  if (n == 0 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool surrogate_or_beyond = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || surrogate_or_beyond ? 0 : n;
}

/// Escapes text for element content and quoted attributes. Bytes that are not UTF-8 (label files are often Latin-1)
/// become U+FFFD, control characters other than tab and newline a space.
inline std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    if (n == 1) {
      const char c = text[0];
      if (c == '&')
        out += "&amp;";
      else if (c == '<')
        out += "&lt;";
      else if (c == '>')
        out += "&gt;";
      else if (c == '"')
        out += "&quot;";
      else if (c == '\'')
        out += "&#39;";
      else if ((c >= 0 && c < 0x20 && c != '\n' && c != '\t') || c == 0x7F)
        out += ' ';
      else
        out += c;
    } else if (n == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

/// Number of characters, for estimating widths.
inline std::size_t characters(std::string_view text) {
  std::size_t n = 0;
  for (; !text.empty(); ++n) text.remove_prefix(std::max<std::size_t>(1, utf8_length(text)));
  return n;
}

/// At most `most` characters; longer text ends in "…".
inline std::string shorten(std::string_view text, std::size_t most) {
  if (characters(text) <= most) return std::string(text);
  std::size_t bytes = 0;
  for (std::size_t n = 0; n + 1 < most; ++n) bytes += std::max<std::size_t>(1, utf8_length(text.substr(bytes)));
  return std::string(text.substr(0, bytes)) + "…";
}

/// 0.00005 → "5·10⁻⁵": two figures, powers of ten alone without a factor.
inline std::string scientific(double v) {
  static constexpr std::string_view digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  const std::string text = formatted("{:.1e}", v);
  const std::size_t e = text.find('e');
  std::string factor = text.substr(0, e);
  if (factor.ends_with(".0")) factor.resize(factor.size() - 2);
  const int exponent = std::stoi(text.substr(e + 1));
  std::string power = exponent < 0 ? "10⁻" : "10";
  for (const char c : std::to_string(std::abs(exponent))) power += digits[c - '0'];
  return factor == "1" ? power : factor + "·" + power;
}

/// 10000 → "10,000".
inline std::string grouped(long long n) {
  std::string text = std::to_string(n);
  for (int at = static_cast<int>(text.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

/// 0.1234 → "0.123", 12345 → "12.3k", 11170000 → "11.2M", NaN → "–": about three figures that matter.
inline std::string number(double v) {
  if (std::isnan(v)) return "–";
  if (std::isinf(v)) return v > 0 ? "∞" : "−∞";
  const double a = std::fabs(v);
  const std::string sign = v < 0 ? "−" : "";
  if (a == 0) return "0";
  if (a >= 999.5e6) return sign + formatted("{:.3g}G", a / 1e9);
  if (a >= 999.5e3) return sign + formatted("{:.3g}M", a / 1e6);
  if (a >= 9999.5) return sign + formatted("{:.3g}k", a / 1e3);
  if (a >= 999.5) return sign + formatted("{:.0f}", a);
  if (a < 1e-3) return sign + scientific(a);
  return sign + formatted("{:.3g}", a);
}

/// A share 0 … 1 as "36.4 %" (the space does not break).
inline std::string percent(double share, int decimals = 1) {
  return std::isfinite(share) ? formatted("{:.{}f}\u202F%", share * 100, decimals) : "–";
}

}  // namespace moecnn::report
