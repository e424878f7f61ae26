#pragma once
/// \file
/// Numbers from one element type to another.

#include "moecnn/core/dtype.hpp"
#include "moecnn/core/error.hpp"

#include <cstring>

namespace moecnn {

/// Calls `f.template operator()<T>()` for the C++ type of a floating-point DType. Throws Error on another.
template <class F>
decltype(auto) with_float(DType t, const F& f) {
  switch (t) {
    case DType::f32: return f.template operator()<float>();
    case DType::f64: return f.template operator()<double>();
    case DType::bf16: return f.template operator()<Bf16>();
    default: fail("elements of type {} cannot be computed with; expected f32, f64 or bf16", name_of(t));
  }
}

namespace detail {

template <class From, class To>
void convert_elements(const void* from, void* to, std::size_t n) {
  const auto* x = static_cast<const From*>(from);
  auto* y = static_cast<To*>(to);
  for (std::size_t i = 0; i < n; ++i)
    if constexpr (std::is_same_v<From, Bf16>)
      y[i] = static_cast<To>(static_cast<float>(x[i]));
    else
      y[i] = static_cast<To>(x[i]);
}

}  // namespace detail

/// `n` elements, each rounded to the nearest value of the type that it becomes. Into floating-point types; from these, from
/// bytes and from i32. The memory must not overlap.
inline void convert(const void* from, DType from_type, void* to, DType to_type, std::size_t n) {
  if (from_type == to_type) {
    if (n > 0) std::memcpy(to, from, n * size_of(from_type));
    return;
  }
  with_float(to_type, [&]<class To>() {
    if (from_type == DType::u8) {
      const auto* x = static_cast<const std::uint8_t*>(from);
      for (std::size_t i = 0; i < n; ++i) static_cast<To*>(to)[i] = static_cast<To>(static_cast<float>(x[i]));
    } else if (from_type == DType::i32) {
      const auto* x = static_cast<const std::int32_t*>(from);
      for (std::size_t i = 0; i < n; ++i) static_cast<To*>(to)[i] = static_cast<To>(static_cast<double>(x[i]));
    } else {
      with_float(from_type, [&]<class From>() { detail::convert_elements<From, To>(from, to, n); });
    }
  });
}

}  // namespace moecnn
