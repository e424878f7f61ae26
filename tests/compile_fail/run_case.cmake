# cmake -DCOMPILER=… -DFLAGS_FILE=… -DSOURCE=… -P run_case.cmake: see CMakeLists.txt beside this file.
file(READ "${FLAGS_FILE}" flags)
string(STRIP "${flags}" flags)
separate_arguments(flags UNIX_COMMAND "${flags}")

# The expected texts: every `// expects:` line of the comment block that opens the file. Semicolons stay what they are.
# `// flags:` gives the compiler one more.
file(READ "${SOURCE}" text)
string(REPLACE ";" "\\;" text "${text}")
string(REPLACE "\n" ";" lines "${text}")
set(expected)
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^//")
    break()
  elseif(line MATCHES "^// expects: *(.+)$")
    list(APPEND expected "${CMAKE_MATCH_1}")
  elseif(line MATCHES "^// flags: *(.+)$")
    list(APPEND flags "${CMAKE_MATCH_1}")
  endif()
endforeach()

set(ENV{LC_ALL} C)  # plain quotes, English
execute_process(COMMAND "${COMPILER}" ${flags} -fsyntax-only "${SOURCE}"
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)

get_filename_component(name "${SOURCE}" NAME)
if(name STREQUAL "compile_pass.cpp")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${name} must compile, but:\n${output}")
  endif()
  return()
endif()

if(NOT expected)
  message(FATAL_ERROR "${name}: the first line must be `// expects: TEXT`, the words that the compiler has to print")
endif()
if(result EQUAL 0)
  message(FATAL_ERROR "${name} compiles, but it is a misuse that must be refused with: ${expected}")
endif()
foreach(words IN LISTS expected)
  string(FIND "${output}" "${words}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${name} is refused, but the compiler does not say\n  ${words}\nIt says:\n${output}")
  endif()
endforeach()
message(STATUS "${name}: refused with the expected words")
