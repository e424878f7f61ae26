// The steps of a stranger's first program: include the library, use something of it that needs a dependency, check the
// version.
#include <moecnn/core/error.hpp>
#include <moecnn/core/extent.hpp>
#include <moecnn/version.hpp>

#include <cstdio>

#if __has_include(<moecnn/moecnn.hpp>)
#include <moecnn/moecnn.hpp>
#endif
#if defined(MOECNN_HAS_ONEDNN)
#include <oneapi/dnnl/dnnl.hpp>
#endif

int main() {
  static_assert(moecnn::version.major * 100 + moecnn::version.minor >= 1);
  try {
    moecnn::window_out(3, 7, 1, 0);
  } catch (const moecnn::Error& e) {
    std::printf("moecnn %d.%d.%d: %s\n", moecnn::version.major, moecnn::version.minor, moecnn::version.patch, e.what());
#if defined(MOECNN_HAS_ONEDNN)
    return dnnl_version()->major >= 2 ? 0 : 1;
#else
    return 0;
#endif
  }
  return 1;
}
