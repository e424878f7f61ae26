// Linked into every test program beside its own sources: a definition in a header that is neither inline nor a template
// then exists twice and the link fails.
#if __has_include("moecnn/moecnn.hpp")
#include "moecnn/moecnn.hpp"
#endif
#if defined(MOECNN_HAS_ONEDNN) && __has_include("moecnn/backend/onednn.hpp")
#include "moecnn/backend/onednn.hpp"
#endif
