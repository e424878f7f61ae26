#pragma once
#include "moecnn/core/convert.hpp"
#include "moecnn/core/threads.hpp"

#include <algorithm>

namespace moecnn::host {

/// convert(), shared by the threads.
inline void convert_rows(const void* from, DType f, void* to, DType t, std::size_t elements) {
  constexpr long long piece = 8192;
  const auto n = static_cast<long long>(elements);
#pragma omp parallel for schedule(static) if (worth_sharing(n))
  for (long long i = 0; i < n; i += piece)
    convert(static_cast<const std::byte*>(from) + static_cast<std::size_t>(i) * size_of(f), f,
            static_cast<std::byte*>(to) + static_cast<std::size_t>(i) * size_of(t), t,
            static_cast<std::size_t>(std::min(piece, n - i)));
}

}  // namespace moecnn::host
