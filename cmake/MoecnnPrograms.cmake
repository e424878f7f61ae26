# moecnn_program(target): what every test, example and benchmark of this project is compiled with. Users of the library
# get none of these flags.
add_library(moecnn_flags INTERFACE)
target_compile_options(moecnn_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
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
endif()
if(TARGET moecnn_onednn)
  target_link_libraries(moecnn_flags INTERFACE moecnn::onednn)
else()
  target_link_libraries(moecnn_flags INTERFACE moecnn::moecnn)
endif()

function(moecnn_program target)
  target_link_libraries(${target} PRIVATE moecnn_flags)
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
