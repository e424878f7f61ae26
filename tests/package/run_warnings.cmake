# cmake -DMOECNN_SOURCE=… -DFLAGS=… -DWORK=… -DCOMPILER=… -P run_warnings.cmake
# A project that adds this source tree as a subdirectory gets its headers by -I, so the warnings that it asks for are
# given for them too. Compiles warnings.cpp behind an #include of every header, with warnings as errors.
if(NOT COMPILER)
  message("skipped: no Clang here; apt-get install clang-14")
  return()
endif()
file(READ "${FLAGS}" flags)
string(STRIP "${flags}" flags)
separate_arguments(flags UNIX_COMMAND "${flags}")
list(FILTER flags EXCLUDE REGEX "^-W|^-fno-tree-slp")  # the project's own; the standard, places and definitions stay

file(GLOB_RECURSE headers RELATIVE "${MOECNN_SOURCE}/include" "${MOECNN_SOURCE}/include/*.hpp")
if(NOT flags MATCHES "MOECNN_HAS_ONEDNN")
  list(FILTER headers EXCLUDE REGEX "/backend/onednn")
endif()
set(text "")
foreach(header IN LISTS headers)
  string(APPEND text "#include <${header}>\n")
endforeach()
file(READ "${CMAKE_CURRENT_LIST_DIR}/warnings.cpp" program)
file(WRITE "${WORK}/warnings.cpp" "${text}#line 1 \"${CMAKE_CURRENT_LIST_DIR}/warnings.cpp\"\n${program}")

set(warnings -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
execute_process(COMMAND "${COMPILER}" --version OUTPUT_VARIABLE version)
if(version MATCHES "clang")
  list(APPEND warnings -Wno-sign-conversion)  # GCC's -Wconversion does not ask for it either
endif()
execute_process(COMMAND "${COMPILER}" ${flags} ${warnings} -Werror -fsyntax-only "${WORK}/warnings.cpp"
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${COMPILER} warns about the headers")
endif()
