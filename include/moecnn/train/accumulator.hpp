#pragma once
/// \file
/// One update from the gradients of several batches.

#include "moecnn/graph/parameter_math.hpp"
#include "moecnn/model/memory_check.hpp"
#include "moecnn/model/param_store.hpp"

namespace moecnn {

/// Makes the mean of the gradients of `batches` batches, each weighted by its images: that of one large batch whose loss
/// is a mean over images. All memory, that of one more gradient, is allocated at construction, and none for one batch,
/// where nothing is computed either.
class Accumulator {
 public:
  /// `math`: that of the store's backend, which outlives this.
  Accumulator(int batches, const ParamStore& store, ParameterMath& math) : batches_(batches), math_(math) {
    check(batches >= 1, "accumulate is {} batches per update, expected at least 1", batches);
    if (batches == 1) return;
    check_memory({.gradients = store.trained_bytes()}, store.memory_limit(), "the sum of gradients over batches");
    sum_ = DeviceBuffer(store.memory(), store.trained_bytes());
  }

  /// Batches that wait for an update.
  int waiting() const { return waiting_; }

  /// After the backward pass of a batch; `flush`: no other batch will come. True: an update is due, and the gradients in
  /// the store are the mean for it. False: they have been taken.
  bool add(ParamStore& store, int images, bool flush) {
    if (waiting_ == 0 && (batches_ == 1 || flush)) return true;
    const auto add = [&](std::byte* to, const std::byte* from, double factor) {
      math_.add(to, from, store.trained_elements(), store.dtype(), factor);
    };
    add(sum_.data(), store.gradient_data(), images);
    images_ += images;
    if (++waiting_ < batches_ && !flush) return false;
    store.memory().fill(store.gradient_data(), 0, store.trained_bytes());
    add(store.gradient_data(), sum_.data(), 1 / images_);
    store.memory().fill(sum_.data(), 0, store.trained_bytes());
    waiting_ = 0, images_ = 0;
    return true;
  }

 private:
  int batches_, waiting_ = 0;
  double images_ = 0;
  ParameterMath& math_;
  DeviceBuffer sum_;
};

}  // namespace moecnn
