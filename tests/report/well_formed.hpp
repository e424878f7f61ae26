#pragma once
// Checks for tests of markup: every tag closed in order, attributes quoted, no stray '<', '&' or quote, nothing loaded.

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace well_formed {

/// Empty when `html` is well formed, else what is wrong and where.
inline std::string markup_fault(std::string_view html) {
  static const std::set<std::string, std::less<>> empty_tags{"meta", "br", "hr", "img", "link", "input"};
  const auto at = [&](std::size_t i) { return " at " + std::to_string(i) + ": " + std::string(html.substr(i, 60)); };
  std::vector<std::string> open;
  for (std::size_t i = 0; i < html.size();) {
    if (html[i] == '&') {
      const std::size_t end = html.find(';', i);
      if (end == std::string_view::npos || end - i > 8) return "bare &" + at(i);
      i = end + 1;
    } else if (html[i] == '>') {
      return "bare >" + at(i);
    } else if (html[i] != '<') {
      ++i;
    } else if (html.substr(i, 9) == "<!DOCTYPE") {
      i = html.find('>', i) + 1;
    } else {
      std::size_t j = i + 1;
      const bool closing = html[j] == '/';
      if (closing) ++j;
      std::string name;
      while (j < html.size() && std::isalnum(static_cast<unsigned char>(html[j]))) name += html[j++];
      if (name.empty()) return "bare <" + at(i);
      bool self_closed = false;
      std::set<std::string> attributes;
      for (;;) {
        while (j < html.size() && html[j] == ' ') ++j;
        if (j >= html.size()) return "unfinished tag" + at(i);
        if (html[j] == '>') break;
        if (html[j] == '/') {
          self_closed = true, ++j;
          continue;
        }
        std::string attribute;
        while (j < html.size() && (std::isalnum(static_cast<unsigned char>(html[j])) || html[j] == '-'))
          attribute += html[j++];
        if (attribute.empty() || html.substr(j, 2) != "=\"") return "attribute without quoted value" + at(i);
        if (!attributes.insert(attribute).second) return "attribute twice" + at(i);
        const std::size_t end = html.find('"', j + 2);
        if (end == std::string_view::npos) return "unfinished attribute" + at(i);
        if (html.substr(j + 2, end - j - 2).find('<') != std::string_view::npos) return "< in an attribute" + at(i);
        j = end + 1;
      }
      i = j + 1;
      if (closing) {
        if (open.empty() || open.back() != name) return "closes " + name + " that is not open" + at(i);
        open.pop_back();
      } else if (!self_closed) {
        if (empty_tags.count(name)) return "empty tag not closed" + at(i);
        open.push_back(name);
      }
      if (name == "style" && !closing) i = html.find("</style>", i);
    }
  }
  return open.empty() ? "" : "never closes " + open.back();
}

inline std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t i = text.find(part); i != std::string_view::npos; i = text.find(part, i + part.size())) ++n;
  return n;
}

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// True when a coordinate somewhere is not a number.
inline bool has_nan(std::string_view svg) {
  for (const char* bad : {"=\"nan", "=\"-nan", "=\"inf", "=\"-inf", "Mnan", "Lnan", " nan", "-nan", "Hnan"})
    if (has(svg, bad)) return true;
  return false;
}

}  // namespace well_formed
