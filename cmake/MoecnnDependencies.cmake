# Dependencies of the headers. The project's own build uses this file, and it is installed beside moecnnConfig.cmake, so a
# consumer looks for exactly the same things.
include(CMakeFindDependencyMacro)
foreach(_package Threads fmt Eigen3 jansson PNG JPEG)
  if(CMAKE_FIND_PACKAGE_NAME)  # inside find_package(moecnn): let the consumer decide whether that is an error
    find_dependency(${_package})
  else()
    find_package(${_package} QUIET)
    if(NOT ${_package}_FOUND)
      message(FATAL_ERROR "moecnn needs ${_package}, which was not found. "
        "`cmake/setup.sh` installs everything on Debian and prints the package names elsewhere.")
    endif()
  endif()
endforeach()
find_package(OpenMP QUIET COMPONENTS CXX)  # optional: without it the reference backend runs on one thread

# Imported targets are visible only in the directory that found them. A project that uses add_subdirectory(moecnn) links
# from a directory above, so make them global there.
if(NOT CMAKE_FIND_PACKAGE_NAME AND NOT MOECNN_TOP_LEVEL)
  get_property(_found DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _found)
    set_target_properties(${_target} PROPERTIES IMPORTED_GLOBAL TRUE)
  endforeach()
endif()
