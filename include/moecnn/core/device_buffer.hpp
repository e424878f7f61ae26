#pragma once
/// \file
/// Where tensors lie: the memory of a backend, and one allocation of it.

#include "moecnn/core/aligned.hpp"

#include <utility>

namespace moecnn {

/// The memory of a device. Addresses are the device's: the host may follow them only where on_host() is true.
class Memory {
 public:
  struct Allocation {
    std::byte* data = nullptr;
    std::size_t bytes = 0;  ///< at least what was asked for
  };

  virtual ~Memory() = default;
  virtual bool on_host() const = 0;
  /// Zeroed, aligned to 64 bytes at least. Throws Error where there is no room.
  virtual Allocation allocate(std::size_t bytes) = 0;
  virtual void release(const Allocation& a) noexcept = 0;
  /// These three are finished when they return.
  virtual void copy_in(std::byte* to, const void* host, std::size_t bytes) = 0;
  virtual void copy_out(void* host, const std::byte* from, std::size_t bytes) = 0;
  virtual void fill(std::byte* to, unsigned char value, std::size_t bytes) = 0;
};

/// The memory of the CPU.
class HostMemory final : public Memory {
 public:
  bool on_host() const override { return true; }
  Allocation allocate(std::size_t bytes) override {
    AlignedBuffer buffer(bytes);
    const std::size_t size = buffer.bytes();
    return {buffer.release(), size};
  }
  void release(const Allocation& a) noexcept override { AlignedBuffer::free(a.data); }
  void copy_in(std::byte* to, const void* host, std::size_t bytes) override { copy(to, host, bytes); }
  void copy_out(void* host, const std::byte* from, std::size_t bytes) override { copy(host, from, bytes); }
  void fill(std::byte* to, unsigned char value, std::size_t bytes) override {
    if (bytes > 0) std::memset(to, value, bytes);
  }

 private:
  static void copy(void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
};

inline Memory& host_memory() {
  static HostMemory memory;
  return memory;
}

/// One zeroed allocation, given back at the end. Parameters, gradients, moments and activations are one each.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(Memory& memory, std::size_t bytes) : memory_(&memory) {
    if (bytes > 0) all_ = memory.allocate(bytes);
  }
  DeviceBuffer(DeviceBuffer&& b) noexcept : memory_(b.memory_), all_(std::exchange(b.all_, {})) {}
  DeviceBuffer& operator=(DeviceBuffer&& b) noexcept {
    std::swap(memory_, b.memory_), std::swap(all_, b.all_);
    return *this;
  }
  ~DeviceBuffer() {
    if (all_.data) memory_->release(all_);
  }

  std::byte* data() const { return all_.data; }
  std::size_t bytes() const { return all_.bytes; }

 private:
  Memory* memory_ = nullptr;
  Memory::Allocation all_;
};

}  // namespace moecnn
