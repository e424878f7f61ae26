#pragma once
/// \file
/// How many threads a parallel region of ours gets, and which of them one is.

#ifdef _OPENMP
#include <omp.h>
#endif

namespace moecnn::onednn::detail {

/// Primitives that are made while this lives run on one thread: oneDNN asks once, when it makes them.
class OneThread {
 public:
#ifdef _OPENMP
  OneThread() { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_ = omp_get_max_threads();
#else
  OneThread() {}
#endif
};

inline int thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}
inline int thread_number() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

}  // namespace moecnn::onednn::detail
