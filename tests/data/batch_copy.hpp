#pragma once
// A copy of a loader's batch, to be compared.
#include <vector>

#include "moecnn/data/batch_queue.hpp"

struct BatchCopy {
  std::vector<float> images;
  std::vector<int> labels, indices;
  moecnn::data::Position position;
  bool last;
  friend bool operator==(const BatchCopy&, const BatchCopy&) = default;
};

/// `values` numbers and `labels` labels per image.
template <class Batch>
BatchCopy copy_of(const Batch& b, std::size_t values, std::size_t labels) {
  return {{b.images, b.images + b.count * values},
          {b.labels, b.labels + b.count * labels},
          {b.indices, b.indices + b.count},
          b.position,
          b.last_of_epoch};
}
