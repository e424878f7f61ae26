# cmake -DKIND=find_package|add_subdirectory -DMOECNN_SOURCE=… -DMOECNN_BUILD=… -DWORK=… -DGENERATOR=… -DCOMPILER=…
#       -DWITH_ONEDNN=… -DONEDNN_ROOT=… -P run_consumer.cmake
# Builds and runs tests/package/KIND as a stranger would.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message(STATUS "${output}")
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " line)
    message(FATAL_ERROR "failed: ${line}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")

set(arguments -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCMAKE_BUILD_TYPE=Debug
  "-DCONSUMER_ONEDNN=${WITH_ONEDNN}" "-DMOECNN_ONEDNN_ROOT=${ONEDNN_ROOT}")
if(KIND STREQUAL "find_package")
  run("${CMAKE_COMMAND}" --install "${MOECNN_BUILD}" --prefix "${WORK}/prefix")
  list(APPEND arguments "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
else()
  list(APPEND arguments "-DMOECNN_SOURCE=${MOECNN_SOURCE}")
endif()
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/${KIND}" -B "${WORK}/build" ${arguments})
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer")
if(KIND STREQUAL "find_package")
  run("${WORK}/build/trainer")
endif()
