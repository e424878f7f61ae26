#pragma once
/// The commands of the program; each is compiled in a unit of its own.

#include "options.hpp"

#include <functional>

namespace segmentation {

int train(const Options& o);
int evaluate(const Options& o);
int predict(const Options& o);
int check_data(const Options& o);
int info(const Options& o);

/// The list of experiments; see study.cpp.
struct StudyOptions {
  std::string scale = "quick", data, bdd, out = "out/study", net = "enet";
  std::vector<std::string> only;       ///< "E2", …; empty: all
  int seeds = 0;                       ///< 0: the scale's
  bool list = false;                   ///< prints the runs without starting them
  std::vector<std::string> passed_on;  ///< to every `train`
};
/// `program` runs this program with other arguments.
int study(const StudyOptions& o, const std::function<int(const std::vector<std::string>&)>& program);

}  // namespace segmentation
