#pragma once
/// The page that shows a finished training run.

#include "data_sets.hpp"

#include <moecnn/model/model.hpp>
#include <moecnn/train/result.hpp>

namespace segmentation {

/// Evaluates the model on `test` and writes the page. Compiled in report.cpp.
void write_report(AnyModel& model, const TrainResult& run, const Options& o, const data::SegmentationSet& test,
                  const std::filesystem::path& path);

}  // namespace segmentation
