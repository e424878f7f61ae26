# Finds jansson 2.14 or newer and defines jansson::jansson. The package that jansson can install for CMake is missing in
# Debian's, so this module looks for the header and the library.
find_path(jansson_INCLUDE_DIR jansson.h)
find_library(jansson_LIBRARY jansson)
mark_as_advanced(jansson_INCLUDE_DIR jansson_LIBRARY)

if(jansson_INCLUDE_DIR)
  file(STRINGS "${jansson_INCLUDE_DIR}/jansson.h" _line REGEX "define JANSSON_VERSION +\"")
  string(REGEX MATCH "[0-9.]+" jansson_VERSION "${_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(jansson REQUIRED_VARS jansson_LIBRARY jansson_INCLUDE_DIR VERSION_VAR jansson_VERSION)

if(jansson_FOUND AND NOT TARGET jansson::jansson)
  add_library(jansson::jansson UNKNOWN IMPORTED)
  set_target_properties(jansson::jansson PROPERTIES
    IMPORTED_LOCATION "${jansson_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${jansson_INCLUDE_DIR}")
endif()
