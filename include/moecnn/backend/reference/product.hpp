#pragma once
/// \file
/// The one matrix product of the reference backend.

#include <Eigen/Core>
#include <algorithm>

namespace moecnn::reference {

template <class T>
using MatrixMap = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
template <class T>
using ConstMatrixMap = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

/// c += a b, in blocks whose largest size the type says. Eigen then keeps its packed copies of a block on the stack and
/// works in the calling thread, where a product of unknown size would allocate and might split the sums among threads.
template <class A, class B, class T>
void add_product(const A& a, const B& b, MatrixMap<T> c) {
  constexpr int most_rows = 32, most_cols = 512 / sizeof(T), most_depth = 256;
  constexpr auto order_a = A::IsRowMajor ? Eigen::RowMajor : Eigen::ColMajor;
  constexpr auto order_b = B::IsRowMajor ? Eigen::RowMajor : Eigen::ColMajor;
  using Stride = Eigen::OuterStride<>;
  using BlockA = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, order_a, most_rows, most_depth>;
  using BlockB = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, order_b, most_depth, most_cols>;
  using BlockC = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor, most_rows, most_cols>;

  const Eigen::Index rows = c.rows(), cols = c.cols(), depth = a.cols();
  for (Eigen::Index j = 0; j < cols; j += most_cols)
    for (Eigen::Index d = 0; d < depth; d += most_depth)
      for (Eigen::Index i = 0; i < rows; i += most_rows) {
        const auto m = std::min<Eigen::Index>(most_rows, rows - i), n = std::min<Eigen::Index>(most_cols, cols - j);
        const auto k = std::min<Eigen::Index>(most_depth, depth - d);
        const Eigen::Map<const BlockA, 0, Stride> block_a(&a.coeffRef(i, d), m, k, Stride(a.outerStride()));
        const Eigen::Map<const BlockB, 0, Stride> block_b(&b.coeffRef(d, j), k, n, Stride(b.outerStride()));
        Eigen::Map<BlockC, 0, Stride> block_c(&c.coeffRef(i, j), m, n, Stride(c.outerStride()));
        block_c.noalias() += block_a * block_b;
      }
}

}  // namespace moecnn::reference
