#pragma once
/// \file
/// One zeroed, aligned allocation on the host.

#include "moecnn/core/error.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace moecnn {

class AlignedBuffer {
 public:
  static constexpr std::size_t alignment = 4096;
  /// Buffers of this size and more lie in pages of it where the system has some to give: kernels that walk through
  /// dozens of arrays at once otherwise spend much of their time looking up where pages are.
  static constexpr std::size_t huge_page = 2 << 20;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes) {
    if (bytes == 0) return;
    const std::size_t unit = bytes >= huge_page ? huge_page : alignment;
    bytes_ = (bytes + unit - 1) / unit * unit;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(unit, bytes_)));
    check(data_ != nullptr, "cannot allocate {} MB; choose a smaller batch or a smaller network", bytes_ >> 20);
#ifdef MADV_HUGEPAGE
    if (unit == huge_page) madvise(data_.get(), bytes_, MADV_HUGEPAGE);  // a wish: it may fail
#endif
    std::memset(data_.get(), 0, bytes_);
  }

  std::byte* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }
  /// The memory, which the caller gives to free().
  std::byte* release() {
    bytes_ = 0;
    return data_.release();
  }
  static void free(std::byte* p) noexcept { std::free(p); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t bytes_ = 0;
};

}  // namespace moecnn
