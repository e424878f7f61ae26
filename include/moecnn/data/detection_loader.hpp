#pragma once
/// \file
/// Batches of pictures with boxes, made ready by background threads: resized, padded to one of a few shapes, and matched
/// with anchors.

#include "moecnn/core/aligned.hpp"
#include "moecnn/core/plural.hpp"
#include "moecnn/core/targets.hpp"
#include "moecnn/data/detection_augment.hpp"
#include "moecnn/data/file_loader.hpp"
#include "moecnn/data/grouped_batches.hpp"
#include "moecnn/data/padded_shapes.hpp"
#include "moecnn/data/sample_cache.hpp"
#include "moecnn/detection/matcher.hpp"

#include <optional>

namespace moecnn::data {

/// By default as for a test: pictures are only resized and normalised, and those that cannot be read are left out.
struct DetectionLoaderOpts {
  int batch = 4;
  bool shuffle = false;
  DetectionAugment augment = {};
  int shapes = 8;  ///< largest number of sizes that batches have; more waste less on padding, and each has a program
  bool targets = true;  ///< match anchors; 20 bytes per anchor of each picture made ready
  detection::AnchorOpts anchors = {};
  /// Boxes that are too small are left out before they are resized, by `augment`.
  detection::MatchOpts match = {.least_side = 0};
  std::uint64_t seed = 0;
  int threads = 1;                       ///< background threads; 0: next() does the work itself
  int prefetch = 2;                      ///< batches made ready ahead; of 4 pictures of 608 × 1024 each has 40 MB
  bool drop_last = false;                ///< drop what is left of each shape when batches are made
  int epochs = 0;                        ///< stop after N epochs; 0: never
  std::size_t cache_bytes = 512u << 20;  ///< decoded pictures that are kept; 0: each is decoded in each epoch
  Broken broken = Broken::leave_out;     ///< what happens to pictures that cannot be read
  double most_broken = 0.01;             ///< stop when more of an epoch's pictures cannot be read

  /// For training: shuffled, by `augment`, broken pictures replaced; the rest is that of `o`, whose `augment` gives way.
  ///
  ///     data::DetectionLoader batches(set, data::DetectionLoaderOpts::training(data::DetectionAugment::paper(), {.seed = 1}));
  static DetectionLoaderOpts training(DetectionAugment augment, DetectionLoaderOpts o) {
    o.shuffle = true;
    o.augment = augment;
    o.broken = Broken::replace;
    return o;
  }
};

/// A batch in one of the loader's buffers.
struct DetectionBatch {
  float* images = nullptr;                       ///< count × 3 × size, aligned to 64 bytes
  const int* indices = nullptr;                  ///< count: places in the set
  const PicturePlace* places = nullptr;          ///< count: how to bring boxes back to the files
  const std::vector<Object>* objects = nullptr;  ///< count: those for training, in pixels of the images
  /// Less than the batch size in the last batch of a shape and where pictures were left out. 0 after the end, and when
  /// nothing is left of the last batch of an epoch.
  int count = 0;
  Size2 size = 1;                              ///< of all images of the batch
  int shape = 0;                               ///< its place in DetectionLoader::shapes()
  int anchors = 0;                             ///< of one image; 0 without targets
  const std::int32_t* anchor_class = nullptr;  ///< count × anchors: a class from 0, or as Matcher says
  const float* anchor_deltas = nullptr;        ///< count × anchors × 4
  Position position;                           ///< of this batch
  bool last_of_epoch = false;

  /// "anchor_class" and "anchor_deltas"; none without matching.
  Targets targets() const {
    Targets all;
    if (anchor_class) {
      all.add({"anchor_class", anchor_class, Size2(1, anchors)});
      all.add({"anchor_deltas", anchor_deltas, Size2(anchors, 4)});
    }
    return all;
  }
};

namespace detail {

struct DetectionSlot {
  AlignedBuffer images = {};
  std::vector<int> indices = {};
  std::vector<PicturePlace> places = {};
  std::vector<std::vector<Object>> objects = {};
  std::vector<std::int32_t> classes = {};
  std::vector<float> deltas = {};
  detection::Matcher matcher{};
  DetectionBatch batch = {};
  std::vector<BrokenSample> broken = {};
  PictureScratch scratch = {};
};

/// Shapes of the batches of a set.
inline PaddedShapes batch_shapes(const DetectionSet& set, const DetectionAugment& augment, int most) {
  check_consistent(set);
  check_consistent(augment);
  std::vector<Size2> sizes;
  for (const DetectionPicture& p : set.pictures)
    sizes.push_back(padded_size(augment, place_picture(augment, {p.height, p.width}).size));
  PaddedShapes shapes = padded_shapes(sizes, most);
  check(shapes.most_pixels() <= set.largest,
        "pictures of '{}' are padded to {} pixels, the limit is {}; give a size for the shorter side", set.name,
        shapes.most_pixels(), set.largest);
  return shapes;
}

}  // namespace detail

/// Hands out the batches of a set in an order, and with flips, that depend on seed and epoch alone: the number of threads and
/// the place where a run was resumed change nothing. All pictures of a batch have one of a few shapes. A picture that cannot
/// be read is left out or replaced by another, and remembered. The set must outlive the loader; its functions belong to one
/// thread.
class DetectionLoader : public FileLoader<detail::DetectionSlot, GroupedBatches> {
  using Slot = detail::DetectionSlot;

 public:
  explicit DetectionLoader(const DetectionSet& set, DetectionLoaderOpts opts = {})
      : DetectionLoader(set, opts, detail::batch_shapes(set, opts.augment, opts.shapes)) {}
  ~DetectionLoader() { stop(); }

  /// The sizes that batches have, from wide to tall, and how many pictures each has.
  const PaddedShapes& shapes() const { return shapes_; }
  /// Anchors of the images of a shape; none without targets.
  const detection::Anchors& anchors(int shape) const { return anchors_.at(static_cast<std::size_t>(shape)); }
  /// The settings that decide which images come when, in words: a resumed run must have the same.
  std::string text() const {
    const DetectionAugment& a = opts_.augment;
    return formatted(
        "{} of {} pictures with {} boxes of {}, {}, seed {}, sides {} to {}, multiples of {}{}, {}, flip {}",
        opts_.batch, set_.size(), set_.objects.size(), counted(set_.classes(), "class", "classes"),
        opts_.shuffle ? "shuffled" : "in order", opts_.seed, a.side, a.max_side, a.multiple, a.more ? " and more" : "",
        counted(shapes_.size(), "shape"), a.flip);
  }

 private:
  DetectionLoader(const DetectionSet& set, DetectionLoaderOpts& opts, PaddedShapes shapes)
      : FileLoader(Order{set.size(), set.name, opts.batch, opts.shuffle, opts.seed, opts.threads, opts.prefetch,
                         opts.drop_last, opts.epochs, opts.broken, opts.most_broken},
                   GroupedBatches(shapes.of, opts.batch, opts.shuffle, opts.seed, opts.drop_last)),
        set_(set),
        opts_(std::move(opts)),
        shapes_(std::move(shapes)),
        cache_(set.size(), set.in_memory() ? 0 : opts_.cache_bytes, [&set](int i) { return load_picture(set, i); }) {
    std::size_t most_anchors = 0;
    if (opts_.targets)
      for (const Size2 s : shapes_.shapes)
        most_anchors = std::max(most_anchors, anchors_.emplace_back(s, opts_.anchors).size());
    const auto batch = static_cast<std::size_t>(opts_.batch);
    start(
        [&](Slot& s) {
          s.images = AlignedBuffer(batch * 3 * static_cast<std::size_t>(shapes_.most_pixels()) * sizeof(float));
          s.places.resize(batch);
          s.objects.resize(batch);
          s.classes.resize(batch * most_anchors);
          s.deltas.resize(4 * batch * most_anchors);
          s.matcher = detection::Matcher(opts_.match);
          s.batch.images = s.images.as<float>();
          s.batch.places = s.places.data();
          s.batch.objects = s.objects.data();
          if (opts_.targets) s.batch.anchor_class = s.classes.data(), s.batch.anchor_deltas = s.deltas.data();
        },
        [this](int i) { return cache_.get(i); },
        [this](Slot& slot, const RgbImage& image, int at, int i, int wanted) { fill(slot, image, at, i, wanted); });
  }

  void fill(Slot& slot, const RgbImage& image, int at, int i, int wanted) {
    const auto b = static_cast<std::size_t>(at);
    DetectionBatch& batch = slot.batch;
    batch.shape = shapes_.of[static_cast<std::size_t>(wanted)];
    batch.size = shapes_.shapes[static_cast<std::size_t>(batch.shape)];
    const Rng augment(opts_.seed, Purpose::augment, static_cast<std::uint64_t>(batch.position.epoch));
    PicturePlace& place = slot.places[b];
    place = place_picture(opts_.augment, {image.h, image.w});
    shrink_to(place, batch.size);  // one that stands in for a picture of another shape
    place.flip = draw_flip(opts_.augment, augment, static_cast<std::uint64_t>(wanted));
    apply_place(image, place, opts_.augment, batch.size,
                batch.images + b * 3 * static_cast<std::size_t>(batch.size.h) * batch.size.w, slot.scratch);
    place_objects(set_, i, place, opts_.augment, slot.objects[b]);
    if (!opts_.targets) return;
    const detection::Anchors& anchors = anchors_[static_cast<std::size_t>(batch.shape)];
    const std::size_t n = anchors.size();
    batch.anchors = static_cast<int>(n);
    slot.matcher.match(anchors, slot.objects[b], {slot.classes.data() + b * n, n},
                       {slot.deltas.data() + 4 * b * n, 4 * n});
  }

  const DetectionSet& set_;
  const DetectionLoaderOpts opts_;
  const PaddedShapes shapes_;
  std::vector<detection::Anchors> anchors_;  // per shape
  KeptSamples<RgbImage> cache_;
};

}  // namespace moecnn::data
