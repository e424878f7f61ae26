#include "moecnn/core/dtype.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace moecnn;

TEST_CASE("element types know their size, their name and their C++ type") {
  static_assert(dtype_of<float> == DType::f32 && dtype_of<double> == DType::f64);
  static_assert(dtype_of<std::int32_t> == DType::i32 && dtype_of<std::int64_t> == DType::i64);
  static_assert(dtype_of<std::uint8_t> == DType::u8);
  CHECK(size_of(dtype_of<float>) == sizeof(float));
  CHECK(size_of(dtype_of<double>) == sizeof(double));
  CHECK(size_of(dtype_of<std::int64_t>) == sizeof(std::int64_t));
  CHECK(size_of(DType::i32) == 4);
  CHECK(size_of(DType::u8) == 1);
  CHECK(size_of(DType::bf16) == 2);
  CHECK(std::string(name_of(DType::f32)) == "f32");
  CHECK(std::string(name_of(DType::bf16)) == "bf16");
}
