#pragma once
/// \file
/// Routers, balance losses and constraints in words, by which a training run recognises its own.

#include <cxxabi.h>

#include <cstdlib>
#include <typeinfo>

#include "moecnn/moe/balance.hpp"
#include "moecnn/moe/constraint.hpp"
#include "moecnn/moe/router.hpp"

namespace moecnn::detail {

/// "Importance" of moecnn::balance::Importance.
template <class P>
std::string type_text() {
  int status = 0;
  char* const name = abi::__cxa_demangle(typeid(P).name(), nullptr, nullptr, &status);
  std::string text = status == 0 ? name : typeid(P).name();
  std::free(name);
  const std::size_t scope = text.rfind("::", text.find('<'));
  return scope == text.npos ? text : text.substr(scope + 2);
}

/// The policy's own text() where it has one; else its type and its members weight, limit and of: "Importance, weight
/// 0.5, sparse".
template <class P>
std::string policy_text(const P& p) {
  const auto inner = [](const auto& one) { return policy_text(one); };
  if constexpr (requires {
                  { p.text() } -> std::convertible_to<std::string>;
                }) {
    return p.text();
  } else if constexpr (requires { p.policy.index(); }) {
    return dispatch(p.policy, inner);
  } else if constexpr (requires { p.policy().index(); }) {
    return dispatch(p.policy(), inner);
  } else if constexpr (requires { p.first, p.second; }) {
    return policy_text(p.first) + " + " + policy_text(p.second);
  } else {
    std::string text = type_text<P>();
    if constexpr (requires { double{p.weight}; }) text += formatted(", weight {}", p.weight);
    if constexpr (requires { double{p.limit}; }) text += formatted(", limit {}", p.limit);
    if constexpr (requires { p.of == balance::Of::dense; }) text += p.of == balance::Of::dense ? ", dense" : ", sparse";
    return text;
  }
}

/// "TopK, k 2, renormalised weights, learned noise".
template <class R>
std::string router_text(const R& r) {
  if constexpr (requires {
                  { r.text() } -> std::convertible_to<std::string>;
                })
    return r.text();
  std::string text = type_text<R>();
  text = formatted("{}, k {}", text.substr(0, text.find('<')), r.k);
  if constexpr (requires { r.weights == Weights::raw; })
    text += r.weights == Weights::renormalised ? ", renormalised weights"
            : r.weights == Weights::raw        ? ", raw weights"
                                               : ", straight-through weights";
  return text + (r.noise == Noise::learned ? ", learned noise" : ", no noise");
}

}  // namespace moecnn::detail
