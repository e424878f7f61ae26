#pragma once
/// \file
/// Something that oneDNN, or a loop of our own in its place, computes from pointers.

#include "moecnn/backend/onednn/adapter.hpp"
#include "moecnn/backend/onednn/threads.hpp"

#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace moecnn::onednn {

/// How often a primitive was found and how often it had to be made, over the whole process.
struct CacheStats {
  long long hits = 0, misses = 0;
};

namespace detail {
inline std::atomic<long long> cache_hits{0}, cache_misses{0};
}  // namespace detail

inline CacheStats cache_stats() { return {detail::cache_hits.load(), detail::cache_misses.load()}; }

/// Greater than zero while oneDNN runs. What it allocates by itself, a few hundred bytes per call, is not ours to avoid;
/// a test that counts allocations looks here.
inline thread_local int inside_library = 0;

/// Computes from pointers, in an order that was agreed upon when it was made, with scratch memory.
class Call {
 public:
  Call(std::string name, std::size_t scratch_bytes) : name_(std::move(name)), scratch_bytes_(scratch_bytes) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call() = default;

  const std::string& name() const { return name_; }
  std::size_t scratch_bytes() const { return scratch_bytes_; }

  /// `scratch` has `reserved` bytes.
  void run(std::initializer_list<const void*> pointers, void* scratch, std::size_t reserved) {
    if (scratch_bytes_ > reserved) own_scratch_.resize(scratch_bytes_), scratch = own_scratch_.data();
    compute(pointers.begin(), scratch);
  }

 private:
  virtual void compute(const void* const* pointers, void* scratch) = 0;

  std::string name_;
  std::size_t scratch_bytes_;
  std::vector<std::byte> own_scratch_;  // for a row count that needs more than was planned for
};

/// One primitive with its arguments bound; only pointers change from call to call.
class Primitive final : public Call {
 public:
  struct Argument {
    int id;
    Desc desc;
  };

  /// Pointers come in the order of the arguments.
  Primitive(dnnl::primitive p, const Desc& scratchpad, std::initializer_list<Argument> arguments, std::string name)
      : Call(std::move(name), scratchpad.get_size()), primitive_(std::move(p)) {
    for (const Argument& a : arguments) add(a.id, a.desc);
    add(DNNL_ARG_SCRATCHPAD, scratchpad);
    for (std::size_t i = 0; i < memory_.size(); ++i) c_args_.push_back({ids_[i], memory_[i].get()});
  }

 private:
  void add(int id, const Desc& desc) {
    ids_.push_back(id);
    memory_.emplace_back(desc, engine(), static_cast<void*>(nullptr));
  }

  void compute(const void* const* pointers, void* scratch) override {
    std::optional<detail::OneThread> alone;
    if (alone_) alone.emplace();
    ++inside_library;
    for (std::size_t i = 0; i + 1 < memory_.size(); ++i) memory_[i].set_data_handle(const_cast<void*>(pointers[i]));
    memory_.back().set_data_handle(scratch);
    const auto status =
        dnnl_primitive_execute(primitive_.get(), stream().get(), static_cast<int>(c_args_.size()), c_args_.data());
    --inside_library;
    check(status == dnnl_success, "oneDNN could not run {} (status {})", name(), static_cast<int>(status));
  }

  dnnl::primitive primitive_;
  std::vector<int> ids_;
  std::vector<dnnl::memory> memory_;
  std::vector<dnnl_exec_arg_t> c_args_;
  bool alone_ = thread_count() == 1;  // it was made for one thread
};

}  // namespace moecnn::onednn
