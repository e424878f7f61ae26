#include "moecnn/core/matrix.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("a matrix lies row by row") {
  Matrix m(2, 3);
  for (int r = 0; r < 2; ++r)
    for (int c = 0; c < 3; ++c) m(r, c) = 10 * r + c;
  CHECK(std::vector<double>(m.flat().begin(), m.flat().end()) == std::vector<double>{0, 1, 2, 10, 11, 12});
  CHECK(m.row(1).size() == 3);
  CHECK(m.row(1)[2] == 12);
  const Matrix& constant = m;
  CHECK(constant.row(0).data() == constant.flat().data());
  m.fill(4);
  CHECK(m(1, 2) == 4);
}

TEST_CASE("a matrix that shrinks and grows back keeps its memory") {
  Matrix m(8, 4);
  const double* data = m.flat().data();
  m.resize(2, 4);
  CHECK(m.flat().size() == 8);
  m.resize(8, 4);
  CHECK(m.flat().data() == data);
  m.resize(0, 4);
  CHECK(m.flat().empty());
  CHECK(m.cols() == 4);
}
