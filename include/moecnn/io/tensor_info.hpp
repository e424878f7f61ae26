#pragma once
/// \file
/// The description of one tensor in a safetensors file, and the element types of the format.

#include "moecnn/core/dtype.hpp"
#include "moecnn/io/messages.hpp"

#include <array>
#include <optional>
#include <vector>

namespace moecnn::io {

/// An element type of the safetensors format. `dtype` is empty for types that moecnn knows but cannot hold.
struct StoredType {
  std::string_view name;
  int bits;
  std::optional<DType> dtype;
};

inline constexpr std::array<StoredType, 22> stored_types{{
    {"F64", 64, DType::f64},          {"F32", 32, DType::f32},      {"BF16", 16, DType::bf16},
    {"I64", 64, DType::i64},          {"I32", 32, DType::i32},      {"U8", 8, DType::u8},
    {"F16", 16, std::nullopt},        {"BOOL", 8, std::nullopt},    {"I8", 8, std::nullopt},
    {"I16", 16, std::nullopt},        {"U16", 16, std::nullopt},    {"U32", 32, std::nullopt},
    {"U64", 64, std::nullopt},        {"C64", 64, std::nullopt},    {"F8_E4M3", 8, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},     {"F8_E8M0", 8, std::nullopt}, {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt}, {"F6_E2M3", 6, std::nullopt}, {"F6_E3M2", 6, std::nullopt},
    {"F4", 4, std::nullopt},
}};

/// The type of that name ("F32"), or nullptr.
constexpr const StoredType* find_stored_type(std::string_view name) {
  for (const StoredType& t : stored_types)
    if (t.name == name) return &t;
  return nullptr;
}

/// How safetensors calls a type of moecnn.
constexpr const StoredType& stored_type_of(DType dtype) {
  for (const StoredType& t : stored_types)
    if (t.dtype == dtype) return t;
  return stored_types[0];  // not reached: every DType is in the table
}

/// One tensor of a file. The bytes are [begin, end) of the data section, row-major, little-endian.
struct TensorInfo {
  std::string name;
  const StoredType* stored = nullptr;
  std::optional<DType> dtype;  ///< empty when moecnn has no such type in memory (F16, BOOL, …)
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;

  std::uint64_t bytes() const { return end - begin; }
  std::uint64_t elements() const { return bytes() * 8 / static_cast<std::uint64_t>(stored->bits); }
};

/// Bytes of a tensor, or empty when the product overflows or is no whole number of bytes.
inline std::optional<std::uint64_t> byte_size(std::span<const std::int64_t> shape, int bits) {
  std::uint64_t total = static_cast<std::uint64_t>(bits);
  for (std::int64_t n : shape)
    if (n < 0 || __builtin_mul_overflow(total, static_cast<std::uint64_t>(n), &total)) return std::nullopt;
  if (total % 8 != 0) return std::nullopt;
  return total / 8;
}

}  // namespace moecnn::io
