#pragma once
/// \file
/// The memory of activations, which the programs of one model share.

#include "moecnn/core/device_buffer.hpp"

#include <memory>
#include <string>

namespace moecnn {

/// A program in words, for messages. It is known to the arena by the address of this.
using ProgramName = std::shared_ptr<const std::string>;

/// The memory that the programs of one model share; they never run at the same time. It only grows. The values in it are
/// those of one program, its owner: the one that was given images last.
class Arena {
 public:
  /// `memory` outlives the arena.
  explicit Arena(Memory& memory = host_memory()) : memory_(&memory) {}

  /// Makes room for a program. Where the memory has to grow, what it held is gone and `who` owns it.
  void reserve(std::size_t bytes, ProgramName who = {}) {
    if (bytes <= buffer_.bytes()) return;
    ++generation_;
    owner_ = std::move(who);
    buffer_ = DeviceBuffer();  // give the old one back first
    buffer_ = DeviceBuffer(*memory_, bytes);
  }
  void claim(const ProgramName& who) {
    if (owner_ != who) owner_ = who;
  }
  const ProgramName& owner() const { return owner_; }

  std::byte* data() const { return buffer_.data(); }
  std::size_t bytes() const { return buffer_.bytes(); }
  int generation() const { return generation_; }

 private:
  Memory* memory_;
  DeviceBuffer buffer_;
  ProgramName owner_;
  int generation_ = 0;
};

}  // namespace moecnn
