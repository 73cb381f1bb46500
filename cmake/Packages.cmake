# The Debian packages, one a component: libplimsoll0 (runtime), libplimsoll-dev (devel), plimsoll (tools). `make package` builds them with
# CPack from what `cmake --install` would install. Included last by the root CMakeLists.txt.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME plimsoll)
set(CPACK_PACKAGE_VENDOR "Plimsoll")
set(CPACK_PACKAGE_CONTACT "Plimsoll maintainers <maintainers@plimsoll.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "embeddable transactional store")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/PackageTidy.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/PackageTriggers.cmake)
set(CPACK_COMPONENTS_ALL runtime devel tools)
set(PLIMSOLL_PACKAGES libplimsoll0 libplimsoll-dev plimsoll)
set(CPACK_DEB_COMPONENT_INSTALL ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

# CPack indents the lines and writes " ." for an empty one.
set(plimsoll_about
"Plimsoll stores tables of byte strings in a folder, with multi-version
transactions and crash safety, inside a hard memory budget: what does not fit
is spilled to disk or refused, and the bound is never exceeded.
")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libplimsoll0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "${plimsoll_about}
This package holds the shared library, for programs in C and other languages.")

set(CPACK_DEBIAN_DEVEL_PACKAGE_NAME libplimsoll-dev)
set(CPACK_DEBIAN_DEVEL_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVEL_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVEL_PACKAGE_DEPENDS "libplimsoll0 (= ${PROJECT_VERSION}), libfmt-dev, liburing-dev")
set(CPACK_DEBIAN_DEVEL_DESCRIPTION "${plimsoll_about}
This package holds the headers, the static library for programs in C++, the
packages for CMake and pkg-config, and the examples.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME plimsoll)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION database)
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "${plimsoll_about}
This package holds the command line program: it reads and writes stores,
brings data in and out, watches running stores, and examines damaged ones.")

# What Debian wants in every package.
configure_file(${CMAKE_SOURCE_DIR}/packaging/changelog.in ${CMAKE_BINARY_DIR}/packaging/changelog @ONLY)
if(GZIP)
  execute_process(COMMAND ${GZIP} -9nkf ${CMAKE_BINARY_DIR}/packaging/changelog)
  foreach(component package IN ZIP_LISTS CPACK_COMPONENTS_ALL PLIMSOLL_PACKAGES)
    install(FILES ${CMAKE_SOURCE_DIR}/packaging/copyright ${CMAKE_BINARY_DIR}/packaging/changelog.gz
      DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component} EXCLUDE_FROM_ALL)
  endforeach()
endif()
include(CPack)
