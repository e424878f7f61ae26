#pragma once
/// The experiments of the detection study.

#include "../common/study_runs.hpp"

namespace detection_program {

using namespace moecnn;

struct StudyOptions {
  std::string scale = "quick", data, backbone_weights, out = "out/detection-study";
  std::vector<std::string> only;  ///< experiments; empty: all
  int seeds = 0;                  ///< 0: as the scale has it
  bool list = false;
  runs::Words passed_on;  ///< options for every training
};

/// Makes the runs that are missing and writes the tables. `program` runs this program with other words. Returns the exit
/// status.
int study(const StudyOptions& o, const runs::Program& program);

}  // namespace detection_program
