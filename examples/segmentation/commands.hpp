#pragma once
/// The commands of the program; each is compiled in a unit of its own.

#include "../common/study_options.hpp"
#include "options.hpp"

namespace segmentation {

int train(const Options& o);
int evaluate(const Options& o);
int predict(const Options& o);
int check_data(const Options& o);
int info(const Options& o);

/// The list of experiments; see study.cpp.
struct StudyOptions : runs::StudyOptions {
  StudyOptions() { out = "out/study"; }
  std::string bdd, net = "enet";
};
/// `program` runs this program with other words.
int study(const StudyOptions& o, const runs::Program& program);

}  // namespace segmentation
