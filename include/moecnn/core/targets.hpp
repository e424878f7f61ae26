#pragma once
/// \file
/// The targets of one batch, by name: what a source of batches hands to the losses.

#include "moecnn/core/dtype.hpp"
#include "moecnn/core/error.hpp"
#include "moecnn/core/size2.hpp"

#include <array>
#include <string_view>

namespace moecnn {

/// One input of the losses beside the images, such as the labels of a batch. Plain order, one row per image.
struct Target {
  std::string_view name;
  const void* data = nullptr;
  DType dtype = DType::i32;
  Size2 size = 1;  ///< of maps; 1: as large as what the losses compare them with

  Target() = default;
  template <class T>
  Target(std::string_view n, const T* values, Size2 s = 1) : name(n), data(values), dtype(dtype_of<T>), size(s) {}
};

/// All targets of a batch; valid as long as the batch is. Holds no memory of its own, so that no step allocates.
class Targets {
 public:
  static constexpr int most = 16;

  void add(Target t) {
    check(count_ < most, "a batch has more than {} targets", most);
    list_[static_cast<std::size_t>(count_++)] = t;
  }
  const Target* begin() const { return list_.data(); }
  const Target* end() const { return list_.data() + count_; }

  /// Null where there is none of that name.
  const Target* find(std::string_view name) const {
    for (const Target& t : *this)
      if (t.name == name) return &t;
    return nullptr;
  }
  /// Throws Error where there is none of that name, or its elements are of another type.
  template <class T>
  const T* get(std::string_view name) const {
    const Target* t = find(name);
    check(t != nullptr, "the batch has no target \"{}\"; its source gives{}", name, names());
    check(t->dtype == dtype_of<T>, "the target \"{}\" has elements of type {}, expected {}", name, name_of(t->dtype),
          name_of(dtype_of<T>));
    return static_cast<const T*>(t->data);
  }
  /// ` "labels" "boxes"`, or " none".
  std::string names() const {
    std::string text;
    for (const Target& t : *this) text += " \"" + std::string(t.name) + '"';
    return text.empty() ? " none" : text;
  }

 private:
  std::array<Target, most> list_ = {};
  int count_ = 0;
};

/// Throws Error on a label that is neither a class nor `ignore` (-1: every label has to be a class); `pixels` labels per
/// image.
inline void check_labels(const std::int32_t* labels, long long images, int classes, long long pixels = 1,
                         int ignore = -1) {
  const auto bad = [&](int label) { return (label < 0 || label >= classes) && (label != ignore || label == -1); };
  const long long all = images * pixels;
  int wrong = 0;
  for (long long i = 0; i < all; ++i) wrong |= bad(labels[i]);  // without a way out, so that it is vectorised
  for (long long i = 0; i < all && wrong; ++i)
    check(!bad(labels[i]), "image {} of a batch has label {}, but the network has {} classes (from 0){}{}", i / pixels,
          labels[i], classes, ignore == -1 ? std::string() : formatted(" and ignores {}", ignore),
          pixels > 1 ? formatted("; it is that of pixel {}", i % pixels) : std::string());
}

/// Throws Error where an anchor is neither of a class nor background (-1) nor ignored (-2).
inline void check_anchor_classes(const std::int32_t* anchors, long long images, int classes, long long per_image) {
  const auto bad = [&](int label) { return label < -2 || label >= classes; };
  int wrong = 0;
  for (long long i = 0; i < images * per_image; ++i) wrong |= bad(anchors[i]);
  for (long long i = 0; i < images * per_image && wrong; ++i)
    check(!bad(anchors[i]),
          "anchor {} of image {} of a batch is said to be of class {}, but the network has {} classes (from 0; -1 is "
          "background, -2 ignored)",
          i % per_image, i / per_image, anchors[i], classes);
}

}  // namespace moecnn
