#pragma once
/// The commands of the program; each is compiled in a unit of its own.

#include "../common/study_options.hpp"
#include "options.hpp"

#include <moecnn/detection/box.hpp>
#include <moecnn/report/png.hpp>

namespace detection_program {

int train(Options& o, const std::string& command);
int evaluate(Options& o);
int predict(Options& o);
int check_data(const Options& o);
int info(Options& o);

struct StudyOptions : runs::StudyOptions {
  StudyOptions() { out = "out/detection-study"; }
  std::string backbone_weights;
};
/// Makes the runs of the study that are missing, and writes its tables and page. `program` runs this program with other
/// words. Returns the exit status.
int study(const StudyOptions& o, const runs::Program& program);

/// The batch norms of the backbone keep their statistics where these come from a file, or on demand.
inline bool frozen_norms(const Options& o) {
  return !o.init.empty() || !o.backbone_weights.empty() || !o.base_weights.empty() || !o.upcycle.empty() ||
         std::find(o.freeze.begin(), o.freeze.end(), "norms") != o.freeze.end();
}

/// Names of the heads.
inline constexpr const char *regressor = "regressor", *classifier = "classifier";

/// Which experts a mixture has.
struct MixturePlace {
  std::string head;
  int level;  ///< 3 for P3

  std::string text() const { return formatted("{}, P{}", head, level); }
};

/// "regressionModel#3" is the regressor on level P5, since a head is wired on the levels in their order.
inline MixturePlace place_of(const std::string& mixture) {
  const auto sign = mixture.find('#');
  return {mixture.starts_with("regression") ? regressor : classifier,
          2 + (sign == mixture.npos ? 1 : std::stoi(mixture.substr(sign + 1)))};
}

}  // namespace detection_program
