#pragma once
/// \file
/// Element types of tensors in memory and in files.

#include "moecnn/core/bf16.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace moecnn {

enum class DType : std::uint8_t { f32, f64, bf16, i32, i64, u8 };

/// Bytes of one element.
constexpr std::size_t size_of(DType t) {
  switch (t) {
    case DType::f64:
    case DType::i64: return 8;
    case DType::f32:
    case DType::i32: return 4;
    case DType::bf16: return 2;
    case DType::u8: return 1;
  }
  return 0;
}

constexpr const char* name_of(DType t) {
  switch (t) {
    case DType::f32: return "f32";
    case DType::f64: return "f64";
    case DType::bf16: return "bf16";
    case DType::i32: return "i32";
    case DType::i64: return "i64";
    case DType::u8: return "u8";
  }
  return "?";
}

namespace detail {
template <class T>
struct DTypeOf;  // of the types below alone
template <>
struct DTypeOf<float> : std::integral_constant<DType, DType::f32> {};
template <>
struct DTypeOf<double> : std::integral_constant<DType, DType::f64> {};
template <>
struct DTypeOf<Bf16> : std::integral_constant<DType, DType::bf16> {};
template <>
struct DTypeOf<std::int32_t> : std::integral_constant<DType, DType::i32> {};
template <>
struct DTypeOf<std::int64_t> : std::integral_constant<DType, DType::i64> {};
template <>
struct DTypeOf<std::uint8_t> : std::integral_constant<DType, DType::u8> {};
}  // namespace detail

/// The DType of a C++ scalar.
template <class T>
inline constexpr DType dtype_of = detail::DTypeOf<T>::value;

constexpr bool is_float(DType t) { return t == DType::f32 || t == DType::f64 || t == DType::bf16; }

}  // namespace moecnn
