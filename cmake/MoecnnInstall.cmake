# cmake --install: headers, targets, and a package that find_package(moecnn [COMPONENTS onednn]) understands.
include(CMakePackageConfigHelpers)

set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/moecnn")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS moecnn EXPORT moecnnTargets)
install(EXPORT moecnnTargets NAMESPACE moecnn:: DESTINATION "${_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/moecnnConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/moecnnConfig.cmake" INSTALL_DESTINATION "${_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/moecnnConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)  # until 1.0 a minor version may change the interface

install(FILES
  "${PROJECT_BINARY_DIR}/moecnnConfig.cmake"
  "${PROJECT_BINARY_DIR}/moecnnConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/MoecnnDependencies.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/MoecnnOneDnn.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/MoecnnKernels.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOneDnn.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/Findjansson.cmake"
  DESTINATION "${_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
