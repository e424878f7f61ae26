#pragma once
/// \file
/// How many threads a primitive gets, and what all loops ask about theirs.

#include "moecnn/backend/onednn/adapter.hpp"
#include "moecnn/core/threads.hpp"

#include <optional>

namespace moecnn::onednn::detail {

/// Primitives that are made while this lives run on one thread: oneDNN asks once, when it makes them. Some ask again when
/// they run.
class OneThread {
 public:
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
#ifdef _OPENMP
  OneThread() { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_ = omp_get_max_threads();
#else
  OneThread() {}
#endif
};

/// Primitives that are made, or run, while this lives have one thread if they do few multiplications.
class [[maybe_unused]] ThreadsFor {
 public:
  explicit ThreadsFor(long long products) {
    if (!primitive_worth_sharing(products)) alone_.emplace();
  }
  static ThreadsFor copying(const Desc& d) {
    return ThreadsFor(moecnn::detail::products_per_number * static_cast<long long>(d.get_size() / sizeof(float)));
  }

 private:
  std::optional<OneThread> alone_;
};

}  // namespace moecnn::onednn::detail
