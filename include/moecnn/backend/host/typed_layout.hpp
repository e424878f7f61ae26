#pragma once
#include "moecnn/core/convert.hpp"
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

/// bf16 in the order of a layout of T. Packing goes through copies of type T: it is for images, results and weights that
/// come from elsewhere, not for every step.
template <class T>
class Bf16Layout final : public TypedLayout<Bf16> {
 public:
  /// `plain`: elements of the tensor.
  Bf16Layout(std::shared_ptr<const TypedLayout<T>> wide, long long plain)
      : wide_(std::move(wide)), plain_(static_cast<std::size_t>(plain)) {}

  std::size_t elements() const override { return wide_->elements(); }
  void pack(const Bf16* plain, Bf16* stored) const override {
    std::vector<T> from(plain_), to(elements());
    convert(plain, DType::bf16, from.data(), dtype_of<T>, from.size());
    wide_->pack(from.data(), to.data());
    convert(to.data(), dtype_of<T>, stored, DType::bf16, to.size());
  }
  void unpack(const Bf16* stored, Bf16* plain) const override {
    std::vector<T> from(elements()), to(plain_);
    convert(stored, DType::bf16, from.data(), dtype_of<T>, from.size());
    wide_->unpack(from.data(), to.data());
    convert(to.data(), dtype_of<T>, plain, DType::bf16, to.size());
  }
  bool same_as(const Layout& other) const override {
    const auto* o = dynamic_cast<const Bf16Layout*>(&other);
    return o != nullptr && wide_->same_as(*o->wide_);
  }
  const Layout& order() const override { return *wide_; }

 private:
  std::shared_ptr<const TypedLayout<T>> wide_;
  std::size_t plain_;
};

}  // namespace moecnn::host
