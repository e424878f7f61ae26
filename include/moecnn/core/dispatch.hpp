#pragma once
/// \file
/// Calling a function with what a variant holds.

#include <type_traits>
#include <variant>

namespace moecnn {

namespace detail {
template <class... T>
std::integral_constant<std::size_t, sizeof...(T)> alternatives(const std::variant<T...>&);
}

/// `f(value)` for the value that `v`, a variant or a struct derived from one, holds; all results have one type. It is
/// used instead of std::visit, which builds a table of functions with all alternatives in every name: slow to compile,
/// and symbols of thousands of characters.
template <std::size_t i = 0, class V, class F>
decltype(auto) dispatch(const V& v, const F& f) {
  if constexpr (i + 1 < decltype(detail::alternatives(v))::value)
    if (v.index() != i) return dispatch<i + 1>(v, f);
  return f(*std::get_if<i>(&v));
}

}  // namespace moecnn
