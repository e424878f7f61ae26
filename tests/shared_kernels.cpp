// The kernels of float, compiled once for all test programs.
#define MOECNN_HOLDS_KERNELS
#include "moecnn/model/shared_kernels.hpp"
