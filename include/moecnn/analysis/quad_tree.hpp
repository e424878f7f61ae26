#pragma once
/// \file
/// A quadtree over points of the plane, for sums over all pairs in N log N (Barnes and Hut, 1986).

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

namespace moecnn::analysis {

struct Point {
  double x = 0, y = 0;
};

/// A cell is a square with the number of its points and their mean. Cells of one point, or of points that no division
/// tells apart, have no children.
class QuadTree {
 public:
  /// Builds the tree of `points`; memory of an earlier one is used again.
  void build(std::span<const Point> points) {
    cells_.clear();
    if (points.empty()) return;
    Point low = points[0], high = points[0];
    for (const Point& p : points) {
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
    order_.assign(points.begin(), points.end());
    const double side = std::max({high.x - low.x, high.y - low.y, 1e-300});
    divide(0, order_.size(), low, side, 0);
  }

  /// Calls `visit(mean, count)` for cells that together hold every point once: those whose side is less than `theta` times
  /// the distance of their mean from `p`, and cells without children. `theta` 0: all points, except that equal ones come
  /// together.
  template <class F>
  void visit(const Point& p, double theta, const F& visit) const {
    std::array<int, 4 * deepest> open;
    int count = 0;
    if (!cells_.empty()) open[static_cast<std::size_t>(count++)] = 0;
    while (count > 0) {
      const Cell& c = cells_[static_cast<std::size_t>(open[static_cast<std::size_t>(--count)])];
      const double dx = p.x - c.mean.x, dy = p.y - c.mean.y;
      if (c.leaf || c.side * c.side < theta * theta * (dx * dx + dy * dy)) {
        visit(c.mean, c.count);
        continue;
      }
      for (const int child : c.children)
        if (child >= 0) open[static_cast<std::size_t>(count++)] = child;
    }
  }

 private:
  static constexpr int deepest = 48;  ///< halvings after which points count as equal

  struct Cell {
    Point mean = {};
    double side = 0;
    int count = 0;
    bool leaf = false;
    std::array<int, 4> children{-1, -1, -1, -1};
  };

  int divide(std::size_t begin, std::size_t end, Point low, double side, int depth) {
    const auto id = static_cast<int>(cells_.size());
    cells_.push_back({.side = side, .count = static_cast<int>(end - begin)});
    Point sum;
    bool equal = true;
    for (std::size_t i = begin; i < end; ++i) {
      sum.x += order_[i].x, sum.y += order_[i].y;
      equal = equal && order_[i].x == order_[begin].x && order_[i].y == order_[begin].y;
    }
    const auto n = static_cast<double>(end - begin);
    Cell& cell = cells_[static_cast<std::size_t>(id)];
    cell.mean = equal ? order_[begin] : Point{sum.x / n, sum.y / n};
    cell.leaf = equal || depth + 1 == deepest;
    if (cell.leaf) return id;
    const double half = side / 2;
    const Point middle{low.x + half, low.y + half};
    const auto from = order_.begin() + static_cast<std::ptrdiff_t>(begin),
               to = order_.begin() + static_cast<std::ptrdiff_t>(end);
    const auto right = std::partition(from, to, [&](const Point& p) { return p.x < middle.x; });
    const auto below = [&](const Point& p) { return p.y < middle.y; };
    const std::array cuts{from, std::partition(from, right, below), right, std::partition(right, to, below), to};
    for (std::size_t q = 0; q < 4; ++q) {
      if (cuts[q] == cuts[q + 1]) continue;
      const Point corner{q < 2 ? low.x : middle.x, q % 2 == 0 ? low.y : middle.y};
      const int child = divide(static_cast<std::size_t>(cuts[q] - order_.begin()),
                               static_cast<std::size_t>(cuts[q + 1] - order_.begin()), corner, half, depth + 1);
      cells_[static_cast<std::size_t>(id)].children[q] = child;
    }
    return id;
  }

  std::vector<Cell> cells_;
  std::vector<Point> order_;
};

}  // namespace moecnn::analysis
