#pragma once
/// The commands of the program that are compiled in units of their own.

#include "options.hpp"

namespace cifar {

struct PredictOptions : Options {
  std::vector<std::string> pictures;
  std::string names;  ///< file with the names of the classes
  std::string page;   ///< HTML file; empty: none
  int top = 5;
};

/// Prints the classes of pictures and the experts that served them.
int predict(const PredictOptions& o);

/// Images per second in training a network on this machine, by a few steps on generated images.
double training_rate(const Options& o);

}  // namespace cifar
