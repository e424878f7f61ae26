#pragma once
#include "moecnn/backend/host/parameter_math.hpp"
#include "moecnn/backend/host/update.hpp"
#include "moecnn/core/convert.hpp"
#include "moecnn/core/threads.hpp"

#include <algorithm>
#include <cmath>

namespace moecnn::host {

namespace detail {

/// Elements: small enough for the caches, large enough for the loop's overhead.
inline constexpr std::size_t block = 16384;

/// Calls `work(first element, elements)` for blocks, in parallel.
template <class F>
void for_each_block(std::size_t n, const F& work) {
  const auto blocks = static_cast<std::int64_t>((n + block - 1) / block);
#pragma omp parallel for schedule(static) if (worth_sharing(static_cast<long long>(n)))
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::size_t at = static_cast<std::size_t>(b) * block;
    work(at, std::min(block, n - at));
  }
}

template <class T>
void update(const UpdateRule& rule, const UpdateSpan& s) {
  const auto go = [&](const auto& step) {
    T* const p = reinterpret_cast<T*>(s.values);
    const T* const g = reinterpret_cast<const T*>(s.gradients);
    T *const m = reinterpret_cast<T*>(s.moments[0]), *const v = reinterpret_cast<T*>(s.moments[1]);
    for_each_block(s.n, [&](std::size_t at, std::size_t n) {
      step(p + at, g + at, {m ? m + at : nullptr, v ? v + at : nullptr}, n);
    });
  };
  rule.kind == UpdateRule::Kind::sgd ? go(SgdUpdate<T>(rule)) : go(AdamUpdate<T>(rule));
}

/// In lanes, so that it vectorises without leave to reorder.
template <class T>
double squares(const T* x, std::size_t n) {
  constexpr std::size_t lanes = 8;
  double lane[lanes] = {}, sum = 0;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (double l : lane) sum += l;
  return sum;
}

/// Parameters are of type float or double.
template <class F>
void with_parameter(DType t, const F& f) {
  check(t == DType::f32 || t == DType::f64, "parameters of type {}; expected f32 or f64", name_of(t));
  t == DType::f32 ? f.template operator()<float>() : f.template operator()<double>();
}

}  // namespace detail

/// Vectorises, unlike a loop that stops early.
template <class T>
bool all_finite(const T* values, std::size_t n) {
  bool fine = true;
  for (std::size_t i = 0; i < n; ++i) {
    const auto v = static_cast<std::conditional_t<std::is_same_v<T, Bf16>, float, T>>(values[i]);
    fine &= v - v == 0;
  }
  return fine;
}

MOECNN_BODY void HostMath::update(const UpdateRule& rule, const UpdateSpan& span) {
  detail::with_parameter(span.dtype, [&]<class T>() { detail::update<T>(rule, span); });
}

/// Sums of blocks, added in their order.
MOECNN_BODY double HostMath::sum_of_squares(const std::byte* x, std::size_t n, DType dtype) {
  sums_.resize(std::max(sums_.size(), (n + detail::block - 1) / detail::block));
  double sum = 0;
  detail::with_parameter(dtype, [&]<class T>() {
    detail::for_each_block(n, [&](std::size_t at, std::size_t count) {
      sums_[at / detail::block] = detail::squares(reinterpret_cast<const T*>(x) + at, count);
    });
  });
  for (std::size_t b = 0; b * detail::block < n; ++b) sum += sums_[b];
  return sum;
}

MOECNN_BODY void HostMath::scale(std::byte* x, std::size_t n, DType dtype, double factor) {
  detail::with_parameter(dtype, [&]<class T>() {
    T* const values = reinterpret_cast<T*>(x);
    const T f = static_cast<T>(factor);
    detail::for_each_block(n, [&](std::size_t at, std::size_t count) {
      for (std::size_t i = at; i < at + count; ++i) values[i] *= f;
    });
  });
}

MOECNN_BODY void HostMath::add(std::byte* y, const std::byte* x, std::size_t n, DType dtype, double factor) {
  detail::with_parameter(dtype, [&]<class T>() {
    T* const sum = reinterpret_cast<T*>(y);
    const T* const term = reinterpret_cast<const T*>(x);
    const T f = static_cast<T>(factor);
    detail::for_each_block(n, [&](std::size_t at, std::size_t count) {
      for (std::size_t i = at; i < at + count; ++i) sum[i] += f * term[i];
    });
  });
}

MOECNN_BODY bool HostMath::all_finite(const std::byte* x, std::size_t n, DType dtype) {
  return with_float(dtype, [&]<class T>() { return host::all_finite(reinterpret_cast<const T*>(x), n); });
}

MOECNN_BODY ParameterMath& host_math() {
  thread_local HostMath math;
  return math;
}

}  // namespace moecnn::host
