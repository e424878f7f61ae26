#pragma once
/// \file
/// Shared by kernels that look at one channel at a time. A map is to them a number of planes of pixels of
/// `unit` numbers: in plain order one plane of single numbers per channel, in blocks of B channels one plane of B numbers
/// per block, with zeros beyond the last channel. So every host backend uses them.

#include "moecnn/backend/host/kernel_for.hpp"

#include <array>
#include <type_traits>

namespace moecnn::host {

/// Elements per chunk of a plane: a multiple of every unit, so that an element's channel follows from its place in the
/// chunk, and enough for any vectors.
inline constexpr int chunk = 64;
template <class T>
using Chunk = std::array<T, chunk>;

/// Calls `visit(i, place in the chunk)` for i in [0, n).
template <class F>
void in_chunks(long long n, const F& visit) {
  long long i = 0;
  for (; i + chunk <= n; i += chunk) {
#pragma omp simd
    for (int j = 0; j < chunk; ++j) visit(i + j, j);
  }
  for (int j = 0; i + j < n; ++j) visit(i + j, j);
}

/// NodeKernel::deliver() for `n` numbers: of(i, place in the chunk).
template <class T, class F>
void deliver_all(T* grad, bool adds, long long n, const F& of) {
  if (adds)
    in_chunks(n, [&of, grad](long long i, int j) { grad[i] += of(i, j); });
  else
    in_chunks(n, [&of, grad](long long i, int j) { grad[i] = of(i, j); });
}

/// Calls `work` with the unit as a type, so that loops over a pixel's numbers are unrolled.
template <class T, class F>
void with_unit(int unit, const F& work) {
  if (unit == 1) return work(std::integral_constant<int, 1>{});
  if constexpr (std::is_same_v<T, float>)  // nobody stores doubles in blocks
    return unit == 8 ? work(std::integral_constant<int, 8>{}) : work(std::integral_constant<int, 16>{});
}

/// For maps whose result has their channels.
template <class T>
class PlaneKernel : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::planes;
  PlaneKernel(const Graph& g, const Flow& f, int n, int unit = 1)
      : NodeKernel<T>(g, f, n), unit_(unit), planes_(pieces(this->out_.channels, unit)) {}

 protected:
  /// Numbers of one plane of an edge.
  long long plane_size(const Edge& e) const { return e.extent.pixels() * unit_; }
  long long plane_size() const { return plane_size(this->out_); }
  /// Planes of all rows that are there.
  long long planes() const { return 1LL * this->rows() * planes_; }

  /// Calls `work(plane)` on all threads for the planes of `count` rows from row `first` on.
  template <class F>
  void for_each_plane(int first, int count, const F& work) const {
    const long long begin = 1LL * first * planes_, n = 1LL * count * planes_;
#pragma omp parallel for schedule(static) if (worth_sharing(n * larger_plane()))
    for (long long i = 0; i < n; ++i) work(begin + i);
  }
  template <class F>
  void for_each_plane(const F& work) const {
    for_each_plane(0, this->rows(), work);
  }
  /// The same with one task per line of every plane: `work(plane, line)`.
  template <class F>
  void for_each_line(int lines, const F& work) const {
    const long long n = planes() * lines;
#pragma omp parallel for schedule(static) if (worth_sharing(planes() * larger_plane()))
    for (long long i = 0; i < n; ++i) work(i / lines, static_cast<int>(i % lines));
  }

  /// The first channel of a plane within its row, and how many it has.
  int first_channel(long long plane) const { return static_cast<int>(plane % planes_) * unit_; }
  int channels(long long plane) const { return std::min(unit_, this->out_.channels - first_channel(plane)); }

  /// `of(lane)` for every channel of a plane, for in_chunks(); zero beyond the last channel.
  template <class F>
  Chunk<T> repeated(long long plane, const F& of) const {
    Chunk<T> s{};
    const int there = channels(plane);
    for (int l = 0; l < there; ++l) s[l] = of(l);
    for (int j = unit_; j < chunk; ++j) s[j] = s[j - unit_];
    return s;
  }

  /// Numbers beyond the last channel become zero.
  void clear_beyond(long long plane, T* numbers) const {
    const int there = channels(plane);
    if (there == unit_) return;
    for (long long i = 0; i < plane_size(); i += unit_) std::fill(numbers + i + there, numbers + i + unit_, T(0));
  }

  /// Σ over a plane of `term(i, place)` per lane, written to `sums`.
  template <class F>
  void sum_lanes(long long n, double* sums, const F& term) const {
    std::fill_n(sums, unit_, 0.0);
    constexpr long long run = 512 * chunk;  // elements are added up in T, their sums in double
    for (long long begin = 0; begin < n; begin += run) {
      Chunk<T> part{};
      in_chunks(std::min(run, n - begin), [&part, &term, begin](long long i, int j) { part[j] += term(begin + i, j); });
      for (int j = 0; j < chunk; ++j) sums[j % unit_] += part[j];
    }
  }

  int unit_, planes_;

 private:
  long long larger_plane() const { return unit_ * std::max(this->out_.extent.pixels(), this->in_[0].extent.pixels()); }
};

}  // namespace moecnn::host
