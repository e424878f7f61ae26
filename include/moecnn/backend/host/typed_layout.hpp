#pragma once
#include "moecnn/graph/kernel.hpp"

namespace moecnn::host {

/// A layout of elements of one type.
template <class T>
class TypedLayout : public Layout {
 public:
  /// Stored elements, padding included.
  virtual std::size_t elements() const = 0;
  virtual void pack(const T* plain, T* stored) const = 0;
  virtual void unpack(const T* stored, T* plain) const = 0;

  std::size_t bytes() const final { return elements() * sizeof(T); }
  void pack(const void* plain, void* stored) const final {
    pack(static_cast<const T*>(plain), static_cast<T*>(stored));
  }
  void unpack(const void* stored, void* plain) const final {
    unpack(static_cast<const T*>(stored), static_cast<T*>(plain));
  }
};

}  // namespace moecnn::host
