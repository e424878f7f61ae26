// The kernels of float, and what trainers share, compiled once for all test programs.
#define MOECNN_HOLDS_KERNELS
#include "moecnn/train/shared_training.hpp"
