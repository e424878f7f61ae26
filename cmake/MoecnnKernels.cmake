# moecnn_add_kernels(target): a library of your build that holds moecnn's kernels, compiled once, for programs of several
# files or of many. What links to it uses moecnn as before and compiles faster:
#
#   moecnn_add_kernels(kernels)
#   target_link_libraries(my_program PRIVATE kernels)   # instead of moecnn::onednn or moecnn::moecnn
#
# The library and whatever links to it must have the same options of the target, such as -march.
function(moecnn_add_kernels target)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT
    "#define MOECNN_HOLDS_KERNELS\n#include <moecnn/train/shared_training.hpp>\n")
  add_library(${target} STATIC "${source}")
  if(TARGET moecnn::onednn)
    target_link_libraries(${target} PUBLIC moecnn::onednn)
  else()
    target_link_libraries(${target} PUBLIC moecnn::moecnn)
  endif()
  target_compile_definitions(${target} INTERFACE MOECNN_SHARED_KERNELS=1)
endfunction()
