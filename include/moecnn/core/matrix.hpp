#pragma once
/// \file
/// A small dense row-major matrix of doubles for host-side routing: rows × experts, a few kilobytes.

#include <span>
#include <vector>

namespace moecnn {

class Matrix {
 public:
  Matrix() = default;
  Matrix(int rows, int cols) { resize(rows, cols); }

  /// While the number of columns stays, so do the rows that are still there; otherwise contents are unspecified.
  /// Allocates only when it grows beyond every earlier size.
  void resize(int rows, int cols) {
    rows_ = rows;
    cols_ = cols;
    data_.resize(static_cast<std::size_t>(rows) * cols);
  }
  void fill(double value) { data_.assign(data_.size(), value); }

  int rows() const { return rows_; }
  int cols() const { return cols_; }
  double& operator()(int r, int c) { return data_[static_cast<std::size_t>(r) * cols_ + c]; }
  double operator()(int r, int c) const { return data_[static_cast<std::size_t>(r) * cols_ + c]; }
  std::span<double> row(int r) { return {data_.data() + static_cast<std::size_t>(r) * cols_, std::size_t(cols_)}; }
  std::span<const double> row(int r) const {
    return {data_.data() + static_cast<std::size_t>(r) * cols_, std::size_t(cols_)};
  }
  std::span<double> flat() { return data_; }
  std::span<const double> flat() const { return data_; }

 private:
  int rows_ = 0, cols_ = 0;
  std::vector<double> data_;
};

}  // namespace moecnn
