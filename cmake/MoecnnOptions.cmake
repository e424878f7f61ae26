# Every option of the project. Programs are built only when moecnn is the top-level project.
include(GNUInstallDirs)

string(COMPARE EQUAL "${CMAKE_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}" MOECNN_TOP_LEVEL)

option(MOECNN_BUILD_TESTS "Build the tests" ${MOECNN_TOP_LEVEL})
option(MOECNN_BUILD_EXAMPLES "Build the example programs" ${MOECNN_TOP_LEVEL})
option(MOECNN_BUILD_BENCH "Add the benchmarks (target moecnn_bench, not part of `all`)" ${MOECNN_TOP_LEVEL})
option(MOECNN_BUILD_DOCS "Add the API reference (target moecnn_docs, needs Doxygen)" OFF)
option(MOECNN_INSTALL "Add install rules" ${MOECNN_TOP_LEVEL})

option(MOECNN_NATIVE "Compile the project's own programs for this very CPU (-march=native)" ${MOECNN_TOP_LEVEL})
option(MOECNN_WERROR "Warnings are errors in the project's own programs (for CI)" OFF)
option(MOECNN_PRECOMPILE "Precompile the headers that most tests and examples include" OFF)
set(MOECNN_SANITIZE "" CACHE STRING "Sanitizers for the project's own programs, for example address,undefined")

set(MOECNN_WITH_ONEDNN AUTO CACHE STRING "Use oneDNN: AUTO (if found), ON (must be found), OFF")
set_property(CACHE MOECNN_WITH_ONEDNN PROPERTY STRINGS AUTO ON OFF)
set(MOECNN_ONEDNN_ROOT "" CACHE PATH "Prefix of a oneDNN of your own (include/, lib/); empty: the system's")

if(MOECNN_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  find_program(MOECNN_CCACHE ccache)
  mark_as_advanced(MOECNN_CCACHE)
  if(MOECNN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${MOECNN_CCACHE}")
  endif()
endif()
