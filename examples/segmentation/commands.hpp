#pragma once
/// What the program does; each command is compiled in a unit of its own.

#include "options.hpp"

namespace segmentation {

int train(const Options& o);
int evaluate(const Options& o);
int predict(const Options& o);
int check_data(const Options& o);
int info(const Options& o);

}  // namespace segmentation
