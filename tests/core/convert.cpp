#include "moecnn/core/convert.hpp"

#include <doctest/doctest.h>
#include <vector>

using namespace moecnn;

TEST_CASE("convert: between all floating-point types, rounded once") {
  const std::vector<double> x{0, 1, -2.5, 1.0 / 3, 1e30};
  std::vector<float> f(x.size());
  std::vector<Bf16> b(x.size());
  std::vector<double> back(x.size());
  convert(x.data(), DType::f64, f.data(), DType::f32, x.size());
  convert(x.data(), DType::f64, b.data(), DType::bf16, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(f[i] == static_cast<float>(x[i]));
    CHECK(b[i].bits == Bf16(static_cast<float>(x[i])).bits);
  }
  convert(b.data(), DType::bf16, back.data(), DType::f64, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(back[i] == static_cast<double>(static_cast<float>(b[i])));
  convert(f.data(), DType::f32, back.data(), DType::f64, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(back[i] == static_cast<double>(f[i]));
}

TEST_CASE("convert: bytes become numbers, equal types are copied, nothing is nothing") {
  const std::vector<std::uint8_t> bytes{0, 7, 255};
  std::vector<float> f(3), copy(3);
  convert(bytes.data(), DType::u8, f.data(), DType::f32, 3);
  CHECK(f == std::vector<float>{0, 7, 255});
  convert(f.data(), DType::f32, copy.data(), DType::f32, 3);
  CHECK(copy == f);
  convert(nullptr, DType::f32, nullptr, DType::f64, 0);
}

TEST_CASE("convert: types that cannot be computed with are refused") {
  int i = 0;
  float f = 0;
  CHECK_THROWS_WITH_AS(convert(&f, DType::f32, &i, DType::i32, 1),
                       "elements of type i32 cannot be computed with; expected f32, f64 or bf16", Error);
  i = -7;
  convert(&i, DType::i32, &f, DType::f32, 1);
  CHECK(f == -7);
  std::int64_t wide = 0;
  CHECK_THROWS_AS(convert(&i, DType::i32, &wide, DType::i64, 1), Error);
}
