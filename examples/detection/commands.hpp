#pragma once
/// The commands of the program; each is compiled in a unit of its own.

#include "options.hpp"

#include <moecnn/detection/box.hpp>
#include <moecnn/report/png.hpp>

namespace detection_program {

int train(Options& o, const std::string& command);
int evaluate(Options& o);
int predict(Options& o);
int check_data(const Options& o);
int info(Options& o);

/// The batch norms of the backbone keep their statistics where these come from a file, or on demand.
inline bool frozen_norms(const Options& o) {
  return !o.init.empty() || !o.backbone_weights.empty() || !o.base_weights.empty() || !o.upcycle.empty() ||
         std::find(o.freeze.begin(), o.freeze.end(), "norms") != o.freeze.end();
}

/// "regressionModel#3" is the regressor on level P5, since a head is wired on the levels in their order.
inline std::string level_text(const std::string& mixture) {
  const auto sign = mixture.find('#');
  const int level = 2 + (sign == mixture.npos ? 1 : std::stoi(mixture.substr(sign + 1)));
  return (mixture.starts_with("regression") ? "regressor, P" : "classifier, P") + std::to_string(level);
}

}  // namespace detection_program
