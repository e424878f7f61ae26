// The kernels of all backends, compiled once for all test programs.
#define MOECNN_HOLDS_BACKENDS
#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
