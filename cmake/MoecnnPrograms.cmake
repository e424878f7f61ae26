# moecnn_program(target): what every test, example and benchmark of this project is compiled with. Users of the library
# get none of these flags.
add_library(moecnn_flags INTERFACE)
target_compile_options(moecnn_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
# Clang also warns of hints to the vectoriser that it cannot follow, and of layers that name an `out` that nobody reads.
target_compile_options(moecnn_flags INTERFACE
  $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed> $<$<CXX_COMPILER_ID:Clang>:-Wno-unused-const-variable>)
if(NOT TARGET OpenMP::OpenMP_CXX)
  target_compile_options(moecnn_flags INTERFACE -Wno-unknown-pragmas)
endif()
set(_gcc12 $<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>)
# GCC 12 sees overlapping copies in every `"text" + std::string`; GCC 13 does not.
target_compile_options(moecnn_flags INTERFACE $<${_gcc12}:-Wno-restrict>)
if(MOECNN_WERROR)
  target_compile_options(moecnn_flags INTERFACE -Werror)
endif()
if(MOECNN_NATIVE)
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-march=native MOECNN_KNOWS_NATIVE)
  if(MOECNN_KNOWS_NATIVE)
    # GCC 12's AVX-512 header reads variables that it has not set, on purpose, and then warns about them.
    target_compile_options(moecnn_flags INTERFACE -march=native
      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized>)
    # For CPUs with AVX-512, GCC 12's vectoriser of straight code fills std::vector<double>{1, 1, 1, 0} with four ones.
    # Loops are still vectorised. tests/core/compiler.cpp looks whether others do that too.
    target_compile_options(moecnn_flags INTERFACE $<${_gcc12}:-fno-tree-slp-vectorize>)
  endif()
endif()
if(MOECNN_SANITIZE)
  target_compile_options(moecnn_flags INTERFACE
    -fsanitize=${MOECNN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(MOECNN_SANITIZE MATCHES undefined)
    # Null pointers and reads beyond an object end in an address error anyway; checking each access for these as well
    # takes four times as long to compile.
    target_compile_options(moecnn_flags INTERFACE
      -fno-sanitize=null,vptr,alignment,object-size,nonnull-attribute,returns-nonnull-attribute)
  endif()
  target_link_options(moecnn_flags INTERFACE -fsanitize=${MOECNN_SANITIZE})
  target_compile_definitions(moecnn_flags INTERFACE MOECNN_SANITIZED=1 MOECNN_CHECK_FORMATS)
  # For the tests: too large a request is std::bad_alloc, as without sanitizers.
  set(MOECNN_SANITIZER_SETTINGS ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
    "LSAN_OPTIONS=print_suppressions=0:suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.txt")
endif()
if(TARGET moecnn_onednn)
  target_link_libraries(moecnn_flags INTERFACE moecnn::onednn)
else()
  target_link_libraries(moecnn_flags INTERFACE moecnn::moecnn)
endif()

function(moecnn_program target)
  target_link_libraries(${target} PRIVATE moecnn_flags)
endfunction()

# Kernels and training for all of the project's programs, compiled once. They are the only part of a build with
# sanitizers that is worth the time of the optimiser.
moecnn_add_kernels(moecnn_own_kernels)
moecnn_program(moecnn_own_kernels)
set_target_properties(moecnn_own_kernels PROPERTIES EXCLUDE_FROM_ALL ON)
if(MOECNN_SANITIZE)
  target_compile_options(moecnn_own_kernels PRIVATE -O2)
endif()

# moecnn_link_kernels(target): links them to a program. They come before its own objects, since of an inline function
# that several objects hold the linker takes the first, and programs may be compiled with -O0.
function(moecnn_link_kernels target)
  target_link_libraries(${target} PRIVATE moecnn_own_kernels)
  if(NOT APPLE AND NOT MSVC)
    target_link_options(${target} PRIVATE
      "SHELL:-Wl,--whole-archive $<TARGET_FILE:moecnn_own_kernels> -Wl,--no-whole-archive")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "$<TARGET_FILE:moecnn_own_kernels>")
  endif()
endfunction()

# moecnn_precompile(target PROGRAMS HEADERS…): with MOECNN_PRECOMPILE, parses headers once for all of these programs. Such
# a build does not prove that each source includes what it uses, and a change to a header compiles all of them again, so
# it is for builds from scratch. The programs have the same options.
function(moecnn_precompile target programs)
  if(NOT MOECNN_PRECOMPILE)
    return()
  endif()
  list(GET programs 0 first)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp" "")
  add_library(${target} OBJECT EXCLUDE_FROM_ALL "${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp")
  foreach(property COMPILE_OPTIONS LINK_LIBRARIES)
    get_target_property(value ${first} ${property})
    if(value)
      set_target_properties(${target} PROPERTIES ${property} "${value}")
    endif()
  endforeach()
  target_precompile_headers(${target} PRIVATE ${ARGN})
  foreach(program IN LISTS programs)
    target_precompile_headers(${program} REUSE_FROM ${target})
  endforeach()
endfunction()

# Scripts that call the compiler themselves (misuse cases, lone headers, compile cost) read its flags from this file:
# one line, exactly what a program of the project gets.
set(_probe "${PROJECT_BINARY_DIR}/probe.cpp")
if(NOT EXISTS "${_probe}")
  file(WRITE "${_probe}" "int moecnn_probe;\n")
endif()
add_library(moecnn_probe OBJECT EXCLUDE_FROM_ALL "${_probe}")
moecnn_program(moecnn_probe)
# (The compiler's own /usr/include is left out, and other people's headers give no warnings.)
set(_all "$<REMOVE_DUPLICATES:$<TARGET_PROPERTY:moecnn_probe,INCLUDE_DIRECTORIES>>")
set(_dirs "$<FILTER:${_all},EXCLUDE,^/usr/include$|^${PROJECT_SOURCE_DIR}>")
set(_defs "$<TARGET_PROPERTY:moecnn_probe,COMPILE_DEFINITIONS>")
set(_opts "$<TARGET_PROPERTY:moecnn_probe,COMPILE_OPTIONS>")
file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/compile_flags.txt" CONTENT
  "-std=c++20 -I${PROJECT_SOURCE_DIR}/include $<JOIN:${_opts}, >$<$<BOOL:${_defs}>: -D$<JOIN:${_defs}, -D>>$<$<BOOL:${_dirs}>: -isystem $<JOIN:${_dirs}, -isystem >>\n"
  TARGET moecnn_probe)
