#pragma once
/// \file
/// A primitive of oneDNN with its arguments, and how many of them were made.

#include "moecnn/backend/onednn/adapter.hpp"
#include "moecnn/backend/onednn/threads.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace moecnn::onednn {

/// How often a primitive was found and how often it had to be made, over the whole process.
struct CacheStats {
  long long hits = 0, misses = 0;
  double seconds = 0;  ///< that making them took
};

namespace detail {
inline std::atomic<long long> cache_hits{0}, cache_misses{0}, cache_nanoseconds{0};
}  // namespace detail

inline CacheStats cache_stats() {
  return {detail::cache_hits.load(), detail::cache_misses.load(),
          1e-9 * static_cast<double>(detail::cache_nanoseconds.load())};
}

/// Greater than zero while oneDNN runs or makes a primitive. What it allocates by itself, a few hundred bytes per call and
/// code for a new primitive, is not ours to avoid; a test that counts allocations looks here.
inline thread_local int inside_library = 0;

struct InsideLibrary {
  InsideLibrary() { ++inside_library; }
  ~InsideLibrary() { --inside_library; }
};

/// Calls `make`, which returns a primitive, and counts it.
template <class F>
auto make_counted(const F& make) {
  const InsideLibrary inside;
  const auto start = std::chrono::steady_clock::now();
  auto made = make();
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
  detail::cache_misses.fetch_add(1, std::memory_order_relaxed);
  detail::cache_nanoseconds.fetch_add(took.count(), std::memory_order_relaxed);
  return made;
}

/// One primitive with its arguments bound; only pointers change from call to call.
class Primitive {
 public:
  struct Argument {
    int id;
    Desc desc;
  };

  /// Pointers come in the order of the arguments.
  Primitive(dnnl::primitive p, const Desc& scratchpad, std::initializer_list<Argument> arguments, std::string name)
      : name_(std::move(name)), scratch_bytes_(scratchpad.get_size()), primitive_(std::move(p)) {
    for (const Argument& a : arguments) add(a.id, a.desc);
    add(DNNL_ARG_SCRATCHPAD, scratchpad);
    for (std::size_t i = 0; i < memory_.size(); ++i) c_args_.push_back({ids_[i], memory_[i].get()});
  }

  const std::string& name() const { return name_; }
  std::size_t scratch_bytes() const { return scratch_bytes_; }

  /// `pointers`: at least one per argument. `scratch` has `reserved` bytes, at least scratch_bytes().
  void run(std::initializer_list<const void*> pointers, void* scratch, std::size_t reserved) {
    check(scratch_bytes_ <= reserved, "{} needs {} bytes of scratch memory, but the plan has {}", name_, scratch_bytes_,
          reserved);
    std::optional<detail::OneThread> alone;
    if (alone_) alone.emplace();
    const InsideLibrary inside;
    for (std::size_t i = 0; i + 1 < memory_.size(); ++i)
      memory_[i].set_data_handle(const_cast<void*>(pointers.begin()[i]));
    memory_.back().set_data_handle(scratch);
    const auto status =
        dnnl_primitive_execute(primitive_.get(), stream().get(), static_cast<int>(c_args_.size()), c_args_.data());
    check(status == dnnl_success, "oneDNN could not run {} (status {})", name(), static_cast<int>(status));
  }

 private:
  void add(int id, const Desc& desc) {
    ids_.push_back(id);
    memory_.emplace_back(desc, engine(), static_cast<void*>(nullptr));
  }

  std::string name_;
  std::size_t scratch_bytes_;
  dnnl::primitive primitive_;
  std::vector<int> ids_;
  std::vector<dnnl::memory> memory_;
  std::vector<dnnl_exec_arg_t> c_args_;
  bool alone_ = thread_count() == 1;  // it was made for one thread
};

}  // namespace moecnn::onednn
