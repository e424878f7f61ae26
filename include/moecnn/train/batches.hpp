#pragma once
/// \file
/// Where batches come from. Training knows nothing of data sets: anything that hands out batches in an order that it can
/// go back to will do. data::Loader is one.

#include <concepts>
#include <cstddef>

namespace moecnn {

/// `next()` gives a batch with `images` [count, channels, h, w] in plain order, `labels` [count], `count` (0: the end),
/// `position` (epoch, batch) and `last_of_epoch`, valid until the next call. `seek(position)` goes on from there, and then
/// the same batches come as if nothing had happened.
template <class S>
concept BatchSource = requires(S& source) {
  { source.next().images[0] } -> std::convertible_to<double>;
  { source.next().labels[0] } -> std::convertible_to<int>;
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

}  // namespace moecnn
