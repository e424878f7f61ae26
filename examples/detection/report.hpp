#pragma once
/// Pages of the program.

#include "commands.hpp"

#include <moecnn/analysis/detect.hpp>
#include <moecnn/report/html.hpp>
#include <moecnn/train/result.hpp>

namespace detection_program {

/// A table of the weights of experts: a row for each head and level. `weights(m)` gives those of mixture m.
void add_experts(report::Page& page, const std::vector<MixtureInfo>& mixtures,
                 const std::function<std::vector<double>(std::size_t m)>& weights);

/// Pictures of the last test that the page shows.
inline constexpr int shown_pictures = 6;

/// The page of a training run: figures, curves, classes, experts, pictures with boxes.
void write_report(AnyModel& model, const TrainResult& run, const Options& o, const Settings& settings,
                  const analysis::BoxEvaluation& test, const data::DetectionSet& set,
                  const std::filesystem::path& path);

}  // namespace detection_program
