#include "backends.hpp"
#include "commands.hpp"

namespace segmentation {
int predict(const Options&) { fail("not there yet"); }
}  // namespace segmentation
