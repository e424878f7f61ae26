#pragma once
/// \file
/// Batches of pictures from an ImageFolder, decoded and cut by background threads.

#include "moecnn/core/aligned.hpp"
#include "moecnn/core/plural.hpp"
#include "moecnn/data/file_loader.hpp"
#include "moecnn/data/folder_augment.hpp"
#include "moecnn/data/image_folder.hpp"
#include "moecnn/data/loader.hpp"
#include "moecnn/data/sample_cache.hpp"

namespace moecnn::data {

/// By default as for a test: pictures come in the order of the folder, their middle is cut out, and those that cannot be
/// read are left out.
struct FolderLoaderOpts {
  int batch = 64;
  bool shuffle = false;
  FolderAugment augment = {};
  std::uint64_t seed = 0;
  int threads = 1;   ///< background threads; 0: next() does the work itself
  int prefetch = 4;  ///< batches made ready ahead
  bool drop_last = false;
  int epochs = 0;                        ///< stop after N epochs; 0: never
  std::size_t cache_bytes = 512u << 20;  ///< decoded pictures that are kept; 0: each is decoded in each epoch
  Broken broken = Broken::leave_out;     ///< what happens to pictures that cannot be read
  double most_broken = 0.01;             ///< stop when more of an epoch's pictures cannot be read

  /// For training: shuffled, with random-resized crops and flips, broken pictures replaced; the rest is that of `o`.
  static FolderLoaderOpts training(FolderLoaderOpts o) {
    o.shuffle = true;
    const FolderAugment mine = o.augment;
    o.augment = FolderAugment::training();
    o.augment.mean = mine.mean, o.augment.std = mine.std;
    o.broken = Broken::replace;
    return o;
  }
};

namespace detail {

struct FolderSlot {
  AlignedBuffer images = {};
  std::vector<int> labels = {}, indices = {};
  Batch batch = {};
  std::vector<BrokenSample> broken = {};
  std::vector<float> line = {};
};

}  // namespace detail

/// Hands out the batches of a folder in an order, and with crops, that depend on seed and epoch alone: the number of threads
/// and the place where a run was resumed change nothing. A picture that cannot be read is left out or replaced by another,
/// which comes with its own label, and remembered. The folder's description must outlive the loader.
///
///     const auto photos = data::image_folder("photos/train");
///     data::FolderLoader batches(photos, 64, data::FolderLoaderOpts::training({.batch = 32, .seed = 1}));
class FolderLoader : public FileLoader<detail::FolderSlot> {
  using Slot = detail::FolderSlot;

 public:
  /// `size`: of the images that come out.
  FolderLoader(const ImageFolder& set, Size2 size, FolderLoaderOpts opts = {})
      : FileLoader((check(size.h > 0 && size.w > 0, "images of {} × {} pixels were asked for", size.w, size.h),
                    check(set.size() > 0, "{} holds no pictures", set.name),
                    Order{set.size(), set.name, opts.batch, opts.shuffle, opts.seed, opts.threads, opts.prefetch,
                          opts.drop_last, opts.epochs, opts.broken, opts.most_broken})),
        set_(set),
        opts_(opts),
        size_(size),
        cache_(set.size(), opts.cache_bytes, [&set](int i) {
          return std::make_shared<const RgbImage>(read_image(set.files[static_cast<std::size_t>(i)].path, set.largest));
        }) {
    check_consistent(opts.augment);
    start(
        [this](Slot& s) {
          s.images = AlignedBuffer(static_cast<std::size_t>(opts_.batch) * image_floats() * sizeof(float));
          s.labels.resize(static_cast<std::size_t>(opts_.batch));
          s.batch.images = s.images.as<float>();
          s.batch.labels = s.labels.data();
        },
        [this](int i) { return cache_.get(i); },
        [this](Slot& slot, const RgbImage& picture, int at, int i, int wanted) {
          const Rng augment(opts_.seed, Purpose::augment, static_cast<std::uint64_t>(slot.batch.position.epoch));
          slot.labels[static_cast<std::size_t>(at)] = set_.files[static_cast<std::size_t>(i)].label;
          apply_folder_augment(picture, opts_.augment, augment, static_cast<std::uint64_t>(wanted), size_,
                               slot.images.as<float>() + static_cast<std::size_t>(at) * image_floats(), slot.line);
        });
  }
  ~FolderLoader() { stop(); }

  Size2 size() const { return size_; }
  int image_elements() const { return static_cast<int>(image_floats()); }
  /// The settings that decide which images come when, in words: a resumed run must have the same.
  std::string text() const {
    const FolderAugment& a = opts_.augment;
    return formatted(
        "{} of {} pictures in {}, {}, seed {}, {} × {}, crops {} to {} of ratio {} to {}, flip {}, margin {}",
        opts_.batch, set_.size(), counted(set_.classes(), "class", "classes"), opts_.shuffle ? "shuffled" : "in order",
        opts_.seed, size_.h, size_.w, a.min_scale, a.max_scale, a.min_ratio, a.max_ratio, a.flip, a.margin);
  }

 private:
  std::size_t image_floats() const { return std::size_t{3} * size_.h * size_.w; }

  const ImageFolder& set_;
  const FolderLoaderOpts opts_;
  Size2 size_;
  KeptSamples<RgbImage> cache_;
};

}  // namespace moecnn::data
