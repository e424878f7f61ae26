#pragma once
/// \file
/// A few sizes for pictures of many sizes: what is planned for a size can then be used again.

#include "moecnn/core/error.hpp"
#include "moecnn/core/size2.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <span>
#include <vector>

namespace moecnn::data {

/// Sizes to which pictures are padded.
struct PaddedShapes {
  std::vector<Size2> shapes = {};      ///< from wide to tall
  std::vector<int> of = {};            ///< per picture: its place in `shapes`
  std::vector<long long> counts = {};  ///< per shape: pictures

  int size() const { return static_cast<int>(shapes.size()); }
  /// Pixels of the largest.
  long long most_pixels() const {
    long long most = 0;
    for (const Size2 s : shapes) most = std::max(most, static_cast<long long>(s.h) * s.w);
    return most;
  }
};

namespace detail {

inline long long pixels(Size2 s) { return static_cast<long long>(s.h) * s.w; }
inline Size2 cover(Size2 a, Size2 b) { return {std::max(a.h, b.h), std::max(a.w, b.w)}; }
inline bool holds(Size2 outer, Size2 inner) { return outer.h >= inner.h && outer.w >= inner.w; }

}  // namespace detail

/// At most `most` shapes, each at least as large as the pictures that get it. Of all sizes that occur, again and again those
/// two become one that can do so at the least cost in pixels of padding, summed over all pictures.
inline PaddedShapes padded_shapes(std::span<const Size2> pictures, int most) {
  using namespace detail;
  check(most >= 1, "pictures are to be padded to at most {} shapes; expected at least 1", most);
  struct Group {
    Size2 size;
    long long count;
  };
  // Some 100 sizes are quickly looked through; more are first rounded up to larger steps.
  constexpr std::size_t many = 200;
  std::vector<Group> groups;
  for (int step = 1; groups.empty() || groups.size() > many; step *= 2) {
    const auto up = [&](int side) { return (side + step - 1) / step * step; };
    std::map<std::pair<int, int>, long long> counts;
    for (const Size2 s : pictures) ++counts[{up(s.h), up(s.w)}];
    if (counts.empty()) return {};
    groups.clear();
    for (const auto& [size, count] : counts) groups.push_back({{size.first, size.second}, count});
  }
  while (groups.size() > static_cast<std::size_t>(most)) {
    std::size_t first = 0, second = 1;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t a = 0; a < groups.size(); ++a)
      for (std::size_t b = a + 1; b < groups.size(); ++b) {
        const auto both = static_cast<double>(pixels(cover(groups[a].size, groups[b].size)));
        double cost = 0;
        for (const Group& g : {groups[a], groups[b]})
          cost += static_cast<double>(g.count) * (both - static_cast<double>(pixels(g.size)));
        if (cost < least) least = cost, first = a, second = b;
      }
    groups[first].size = cover(groups[first].size, groups[second].size);
    groups[first].count += groups[second].count;
    groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(second));
  }

  // A picture gets the smallest that holds it; a shape that none gets is left out.
  PaddedShapes result;
  const auto taller = [](Size2 a, Size2 b) {
    const long long left = static_cast<long long>(a.h) * b.w, right = static_cast<long long>(b.h) * a.w;
    return left != right ? left < right : pixels(a) < pixels(b);
  };
  std::vector<Size2> shapes;
  for (const Group& g : groups) shapes.push_back(g.size);
  std::sort(shapes.begin(), shapes.end(), taller);
  std::vector<int> of;
  std::vector<long long> counts(shapes.size());
  for (const Size2 s : pictures) {
    std::size_t best = shapes.size();
    for (std::size_t i = 0; i < shapes.size(); ++i)
      if (holds(shapes[i], s) && (best == shapes.size() || pixels(shapes[i]) < pixels(shapes[best]))) best = i;
    of.push_back(static_cast<int>(best));
    ++counts[best];
  }
  std::vector<int> place(shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    place[i] = result.size();
    if (counts[i] == 0) continue;
    result.shapes.push_back(shapes[i]);
    result.counts.push_back(counts[i]);
  }
  for (const int i : of) result.of.push_back(place[static_cast<std::size_t>(i)]);
  return result;
}

}  // namespace moecnn::data
