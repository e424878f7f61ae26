// The backends' kernels, compiled once for the longer programs.
#define MOECNN_HOLDS_KERNELS
#include <moecnn/model/shared_kernels.hpp>
