#pragma once
/// \file
/// Patterns for dotted names such as "layer1.0.conv1.weight".

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace moecnn {

/// The number of characters to insert, delete or replace for `text` to match `pattern`; 0: it matches. In a pattern
/// `*` stands for any number of characters, dots included, and `?` for one; all others stand for themselves.
/// (Levenshtein distance, in which `*` matches characters at no cost.)
inline std::size_t glob_distance(std::string_view pattern, std::string_view text) {
  std::vector<std::size_t> row(text.size() + 1);  // of the pattern so far, to each beginning of the text
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (const char p : pattern) {
    std::size_t diagonal = row[0];
    row[0] += p != '*';
    for (std::size_t j = 1; j < row.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = p == '*' ? std::min(above, row[j - 1])
                        : std::min({diagonal + (p != '?' && p != text[j - 1]), above + 1, row[j - 1] + 1});
      diagonal = above;
    }
  }
  return row.back();
}

inline bool glob_matches(std::string_view pattern, std::string_view text) { return glob_distance(pattern, text) == 0; }

/// "a, b, c": the three names that a pattern comes closest to, the closest first; empty where there are no names.
inline std::string closest_names(std::string_view pattern, const std::vector<std::string>& names) {
  std::vector<std::pair<std::size_t, std::size_t>> order;
  for (std::size_t i = 0; i < names.size(); ++i) order.emplace_back(glob_distance(pattern, names[i]), i);
  std::sort(order.begin(), order.end());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, order.size()); ++i)
    text += (i ? ", " : "") + names[order[i].second];
  return text;
}

}  // namespace moecnn
