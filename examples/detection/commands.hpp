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
  return !o.init.empty() || !o.backbone_weights.empty() || !o.upcycle.empty() ||
         std::find(o.freeze.begin(), o.freeze.end(), "norms") != o.freeze.end();
}

}  // namespace detection_program
