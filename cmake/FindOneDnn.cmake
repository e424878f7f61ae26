# Finds oneDNN 2.6 or newer and defines OneDnn::OneDnn, OneDnn_VERSION and OneDnn_FOUND.
#
# oneDNN brings a CMake package of its own, but Debian's also demands OpenCL, and the PyPI wheels of newer releases carry
# none. All that is needed is a header and a library, so this module looks for just these.
# MOECNN_ONEDNN_ROOT names a prefix that is searched first, and then alone.
set(_hints)
if(MOECNN_ONEDNN_ROOT)
  set(_hints HINTS "${MOECNN_ONEDNN_ROOT}" PATH_SUFFIXES include lib lib64 NO_DEFAULT_PATH)
endif()

# A changed root must not be answered from the cache.
if(NOT "${MOECNN_ONEDNN_ROOT}" STREQUAL "${_moecnn_onednn_root_seen}")
  unset(OneDnn_INCLUDE_DIR CACHE)
  unset(OneDnn_LIBRARY CACHE)
  set(_moecnn_onednn_root_seen "${MOECNN_ONEDNN_ROOT}" CACHE INTERNAL "")
endif()

find_path(OneDnn_INCLUDE_DIR oneapi/dnnl/dnnl.hpp ${_hints})
find_library(OneDnn_LIBRARY dnnl ${_hints})
mark_as_advanced(OneDnn_INCLUDE_DIR OneDnn_LIBRARY)

if(OneDnn_INCLUDE_DIR)
  file(STRINGS "${OneDnn_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h" _lines REGEX "define DNNL_VERSION_[A-Z]+ +[0-9]+")
  foreach(_part MAJOR MINOR PATCH)
    string(REGEX MATCH "DNNL_VERSION_${_part} +([0-9]+)" _ "${_lines}")
    set(_onednn_${_part} "${CMAKE_MATCH_1}")
  endforeach()
  set(OneDnn_VERSION "${_onednn_MAJOR}.${_onednn_MINOR}.${_onednn_PATCH}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDnn REQUIRED_VARS OneDnn_LIBRARY OneDnn_INCLUDE_DIR VERSION_VAR OneDnn_VERSION)

if(OneDnn_FOUND AND NOT TARGET OneDnn::OneDnn)
  add_library(OneDnn::OneDnn SHARED IMPORTED GLOBAL)
  set_target_properties(OneDnn::OneDnn PROPERTIES
    IMPORTED_LOCATION "${OneDnn_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OneDnn_INCLUDE_DIR}")
  # A wheel's library may need others that lie beside it; tell the linker where, so that a program need not name them.
  get_filename_component(_dir "${OneDnn_LIBRARY}" DIRECTORY)
  if(MOECNN_ONEDNN_ROOT)
    set_target_properties(OneDnn::OneDnn PROPERTIES
      INTERFACE_LINK_OPTIONS "LINKER:-rpath-link,${_dir};LINKER:--disable-new-dtags,-rpath,${_dir}")
  endif()
endif()
