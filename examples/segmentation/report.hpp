#pragma once
/// The page that shows a finished training run.

#include "backends.hpp"
#include "data_sets.hpp"

#include <moecnn/train/result.hpp>

namespace segmentation {

/// Evaluates the model on `test` and writes the page. Compiled in report.cpp.
template <class Backend>
void write_report(Model<AnyNet, Backend>& model, const TrainResult& run, const Options& o,
                  const data::SegmentationSet& test, const std::filesystem::path& path);

}  // namespace segmentation
