#pragma once
/// \file
/// How many threads there are, and which loops are worth more than one.

#ifdef _OPENMP
#include <omp.h>
#endif

#include <atomic>

namespace moecnn {

/// Threads of a parallel region that begins here.
inline int thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}
/// The number of the calling thread among them.
inline int thread_number() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}
inline bool in_parallel_region() {
#ifdef _OPENMP
  return omp_in_parallel() != 0;
#else
  return false;
#endif
}

/// Whether other programs use the cores; shared_cores.hpp finds out.
enum class Cores { own, shared };

namespace detail {

inline std::atomic<Cores> whose_cores{Cores::own};

/// Beginning and ending a parallel region costs 1 to 2 µs where the threads wait for it on cores of their own. A loop
/// over elements takes one thread some 0.3 ns per element, so this is 10 µs of work.
inline constexpr long long least_on_own_cores = 32 * 1024;
/// Where other programs use the cores, threads sleep between regions: waking them takes 20 to 50 µs, and now and then a
/// time slice of some milliseconds until the last of them gets a core. This is 300 µs of work.
inline constexpr long long least_on_shared_cores = 1024 * 1024;
/// Multiplications of a matrix product or convolution in loops of our own take about a quarter of that time each.
inline constexpr long long products_per_number = 4;
/// One of oneDNN's primitives, with its calls and checks, and 20 to 40 multiplications per ns: 50 to 100 µs.
inline constexpr long long least_products_of_primitive = 2'000'000;

constexpr bool worth_sharing(long long numbers, Cores cores) {
  return numbers >= (cores == Cores::own ? least_on_own_cores : least_on_shared_cores);
}

}  // namespace detail

/// Whether a loop over this many elements pays for several threads. All of them or one, nothing between: libgomp ends the
/// threads that a smaller team leaves over and starts new ones for the next large team.
inline bool worth_sharing(long long numbers) {
  return detail::worth_sharing(numbers, detail::whose_cores.load(std::memory_order_relaxed));
}
/// The same for the multiplications of a product or convolution.
inline bool products_worth_sharing(long long products) { return worth_sharing(products / detail::products_per_number); }
/// Whether a primitive of a vendor's library with this many multiplications should be made for several threads. It keeps
/// them for life and may divide its sums among them, so the answer depends on nothing else.
constexpr bool primitive_worth_sharing(long long products) { return products >= detail::least_products_of_primitive; }

}  // namespace moecnn
