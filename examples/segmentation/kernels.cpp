// The backends' kernels, for all units of the program.
#define MOECNN_HOLDS_KERNELS
#include <moecnn/model/shared_kernels.hpp>
