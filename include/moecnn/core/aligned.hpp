#pragma once
/// \file
/// One zeroed, aligned allocation. Parameters, gradients and activations are one of these each.

#include "moecnn/core/error.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace moecnn {

class AlignedBuffer {
 public:
  static constexpr std::size_t alignment = 4096;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes) : bytes_((bytes + alignment - 1) / alignment * alignment) {
    if (bytes_ == 0) return;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, bytes_)));
    check(data_ != nullptr, "cannot allocate {} MB; choose a smaller batch or a smaller network", bytes_ >> 20);
    std::memset(data_.get(), 0, bytes_);
  }

  std::byte* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }
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
