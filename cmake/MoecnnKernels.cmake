# moecnn_add_kernels(target): a library of your build that holds moecnn's kernels, compiled once, for programs of several
# files or of many. What links to it uses moecnn as before and compiles faster:
#
#   moecnn_add_kernels(kernels)
#   target_link_libraries(my_program PRIVATE kernels)   # instead of moecnn::onednn or moecnn::moecnn
#
# The library and whatever links to it must have the same options of the target, such as -march.
function(moecnn_add_kernels target)
  set(backends "${CMAKE_CURRENT_BINARY_DIR}/${target}_backends.cpp")
  set(training "${CMAKE_CURRENT_BINARY_DIR}/${target}_training.cpp")
  file(CONFIGURE OUTPUT "${backends}" CONTENT
    "#define MOECNN_HOLDS_BACKENDS\n#include <moecnn/backend/default.hpp>\n#include <moecnn/backend/reference.hpp>\n")
  file(CONFIGURE OUTPUT "${training}" CONTENT
    "#define MOECNN_HOLDS_TRAINING\n#include <moecnn/train/trainer.hpp>\n")
  add_library(${target} STATIC "${backends}" "${training}")
  if(TARGET moecnn::onednn)
    target_link_libraries(${target} PUBLIC moecnn::onednn)
  else()
    target_link_libraries(${target} PUBLIC moecnn::moecnn)
  endif()
  target_compile_definitions(${target} INTERFACE MOECNN_SHARED_KERNELS=1)
endfunction()
