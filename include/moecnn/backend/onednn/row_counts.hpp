#pragma once
/// \file
/// Which row counts the calls of a convolution can have.

#include <algorithm>
#include <bit>
#include <vector>

namespace moecnn::onednn {

/// The row counts of an expert that primitives are made for: all below 128, then sixteen to every doubling. This is the
/// largest that is not above `rows`; a second call takes the rest.
constexpr int common_rows(int rows) {
  return rows < 128 ? rows : rows - rows % static_cast<int>(std::bit_floor(static_cast<unsigned>(rows)) / 16);
}

/// All row counts, in ascending order, that calls can have for [least, most] rows, where `part(rows)` is the row count of
/// all calls but the last, which takes the rest.
template <class F>
std::vector<int> row_counts(int least, int most, const F& part) {
  std::vector<int> list;
  for (int rows = least; rows <= most; ++rows) {
    const int each = part(rows);
    list.push_back(each), list.push_back((rows - 1) % each + 1);
  }
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

}  // namespace moecnn::onednn
