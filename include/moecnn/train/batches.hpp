#pragma once
/// \file
/// Where batches come from. Training knows nothing of data sets: anything that hands out batches in an order that it can
/// go back to will do. data::Loader is one.

#include "moecnn/core/dtype.hpp"
#include "moecnn/core/size2.hpp"
#include "moecnn/core/targets.hpp"

#include <concepts>
#include <optional>
#include <string>
#include <vector>

namespace moecnn {

/// A batch with targets of its own: `targets()` gives them by name, such as an array of Target.
template <class B>
concept HasTargets = requires(const B& batch) {
  { *std::begin(batch.targets()) } -> std::convertible_to<Target>;
};

/// `next()` gives a batch with `images` [count, channels, h, w] in plain order, `labels` [count] or `targets()`, `count`
/// (0: the end), `position` (epoch, batch) and `last_of_epoch`, valid until the next call; where batches differ in the size of
/// their images, also `size`. `seek(position)` goes on from
/// there, and then the same batches come as if nothing had happened.
template <class S>
concept BatchSource = requires(S& source) {
  { source.next().images[0] } -> std::convertible_to<double>;
  requires HasTargets<std::remove_cvref_t<decltype(source.next())>> || requires {
    { source.next().labels[0] } -> std::convertible_to<int>;
  };
  { source.next().count } -> std::convertible_to<int>;
  { source.next().last_of_epoch } -> std::convertible_to<bool>;
  { source.next().position.epoch } -> std::convertible_to<int>;
  { source.next().position.batch } -> std::convertible_to<int>;
  source.seek(source.position());
  { source.batches_per_epoch() } -> std::convertible_to<int>;
  { source.images_per_epoch() } -> std::convertible_to<int>;
};

/// Stands for "no test set".
struct NoBatches {};

/// A batch whose source has lost its type; valid until the next one.
struct AnyBatch {
  const void* images = nullptr;
  DType images_type = DType::f32;
  Targets targets = {};
  int count = 0;
  Size2 size = 0;  ///< of these images; 0: as the source says for all of them
  bool last_of_epoch = false;
  int epoch = 0, batch = 0;
  const int* indices = nullptr;  ///< count: places of the images in the set; null where the source does not tell
};

/// A source of batches that has lost its type: what trainer and evaluation, which are compiled once, work on.
class AnyBatches {
 public:
  virtual ~AnyBatches() = default;
  virtual AnyBatch next() = 0;
  virtual void seek(int epoch, int batch) = 0;
  virtual int batches_per_epoch() const = 0;
  virtual int images_per_epoch() const = 0;
  /// Values of one image, its size, and the size of the label maps; nothing where the source does not tell.
  virtual std::optional<long long> image_elements() const { return {}; }
  virtual std::optional<Size2> image_size() const { return {}; }
  virtual std::optional<Size2> label_size() const { return {}; }
  /// The settings of the source in words; empty where it does not tell.
  virtual std::string text() const { return {}; }
  /// Sentences that have come up since the last call.
  virtual std::vector<std::string> warnings() { return {}; }
};

/// A source as AnyBatches. The source outlives it.
template <BatchSource S>
class BatchesOf final : public AnyBatches {
 public:
  explicit BatchesOf(S& source) : source_(source) {}

  AnyBatch next() override {
    const auto& b = source_.next();
    using Image = std::remove_cvref_t<decltype(b.images[0])>;
    AnyBatch any{.images = &b.images[0],
                 .images_type = dtype_of<Image>,
                 .count = b.count,
                 .last_of_epoch = b.last_of_epoch,
                 .epoch = b.position.epoch,
                 .batch = b.position.batch};
    if constexpr (HasTargets<std::remove_cvref_t<decltype(b)>>)
      for (const Target& t : b.targets()) any.targets.add(t);
    else
      any.targets.add({"labels", &b.labels[0], label_size().value_or(1)});
    if constexpr (requires { static_cast<const int*>(b.indices); }) any.indices = b.indices;
    if constexpr (requires { Size2(b.size.h, b.size.w); }) any.size = {b.size.h, b.size.w};
    return any;
  }
  void seek(int epoch, int batch) override {
    auto position = source_.position();
    position.epoch = epoch, position.batch = batch;
    source_.seek(position);
  }
  int batches_per_epoch() const override { return source_.batches_per_epoch(); }
  int images_per_epoch() const override { return source_.images_per_epoch(); }
  std::optional<long long> image_elements() const override {
    if constexpr (requires { source_.image_elements(); })
      return static_cast<long long>(source_.image_elements());
    else
      return {};
  }
  std::optional<Size2> image_size() const override {
    if constexpr (requires { source_.size().h; })
      return Size2{source_.size().h, source_.size().w};
    else
      return {};
  }
  std::optional<Size2> label_size() const override {
    if constexpr (requires { source_.label_size().h; })
      return Size2{source_.label_size().h, source_.label_size().w};
    else
      return {};
  }
  std::string text() const override {
    if constexpr (requires {
                    { source_.text() } -> std::convertible_to<std::string>;
                  })
      return source_.text();
    else
      return {};
  }
  std::vector<std::string> warnings() override {
    if constexpr (requires {
                    { source_.warnings() } -> std::same_as<std::vector<std::string>>;
                  })
      return source_.warnings();
    else
      return {};
  }

 private:
  S& source_;
};

}  // namespace moecnn
