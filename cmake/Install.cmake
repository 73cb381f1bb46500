# What is installed: one static library with the objects of all layers (target plimsoll::plimsoll, also inside this build), a shared one
# that exports the C interface alone (plimsoll::c), the public headers, the CMake package, plimsoll.pc and plimsoll-c.pc. The layers' own
# libraries and headers stay private. Included by the root CMakeLists.txt after the layers and before their users.

# Where libraries of several architectures stand side by side (Debian), the compiler names its own: lib/aarch64-linux-gnu.
if(CMAKE_LIBRARY_ARCHITECTURE)
  set(CMAKE_INSTALL_LIBDIR lib/${CMAKE_LIBRARY_ARCHITECTURE} CACHE PATH "Object code libraries")
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(layer IN LISTS PLIMSOLL_LAYERS)
  if(TARGET plimsoll_${layer})
    list(APPEND layer_objects $<TARGET_OBJECTS:plimsoll_${layer}>)
  endif()
endforeach()

# plimsoll_library: libplimsoll.a. The command line program may then be a target named plimsoll.
add_library(plimsoll_library STATIC)
target_sources(plimsoll_library PRIVATE ${layer_objects})
set_target_properties(plimsoll_library PROPERTIES OUTPUT_NAME plimsoll EXPORT_NAME plimsoll LINKER_LANGUAGE CXX)
target_compile_features(plimsoll_library INTERFACE cxx_std_23)
target_include_directories(plimsoll_library INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# A static library cannot carry these: whoever links it needs them. None of them is seen by a public header.
pkg_check_modules(PLIMSOLL_URING REQUIRED IMPORTED_TARGET GLOBAL liburing)
target_link_libraries(plimsoll_library PRIVATE fmt::fmt Threads::Threads PkgConfig::PLIMSOLL_URING
  $<BUILD_INTERFACE:plimsoll_flags>)
if(PLIMSOLL_SANITIZE)
  target_link_options(plimsoll_library INTERFACE $<BUILD_INTERFACE:-fsanitize=${PLIMSOLL_SANITIZE}>)
endif()
if(NOT TARGET plimsoll::plimsoll)
  add_library(plimsoll::plimsoll ALIAS plimsoll_library)
endif()

# plimsoll_shared: libplimsoll.so.0, from the same objects. The version script hides everything but the functions of plimsoll/c.h.
# What it uses inside is its own: its users link nothing else, so that no target of it is named in the exported package.
set(PLIMSOLL_C_MAP ${CMAKE_SOURCE_DIR}/cmake/plimsoll_c.map)
add_library(plimsoll_shared SHARED)
target_sources(plimsoll_shared PRIVATE ${layer_objects})
set_target_properties(plimsoll_shared PROPERTIES OUTPUT_NAME plimsoll EXPORT_NAME c LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${PLIMSOLL_C_MAP})
target_include_directories(plimsoll_shared INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(plimsoll_shared PRIVATE $<TARGET_LINKER_FILE:fmt::fmt> ${PLIMSOLL_URING_LINK_LIBRARIES}
  ${CMAKE_THREAD_LIBS_INIT} $<BUILD_INTERFACE:plimsoll_flags>)
target_link_options(plimsoll_shared PRIVATE LINKER:--version-script=${PLIMSOLL_C_MAP})
if(NOT PLIMSOLL_SANITIZE)
  target_link_options(plimsoll_shared PRIVATE LINKER:-z,defs)   # nothing may be missing
endif()
if(NOT TARGET plimsoll::c)
  add_library(plimsoll::c ALIAS plimsoll_shared)
endif()

# Components: runtime, the shared library; devel, what compiles against it; tools, the program. Each is a Debian package (Packages.cmake).
install(TARGETS plimsoll_shared EXPORT plimsollCTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT devel)
install(TARGETS plimsoll_library EXPORT plimsollTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT devel)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/plimsoll DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT devel)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libplimsoll-dev/examples COMPONENT devel
  PATTERN CMakeLists.txt EXCLUDE PATTERN __pycache__ EXCLUDE)

set(PLIMSOLL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/plimsoll)
install(EXPORT plimsollTargets NAMESPACE plimsoll:: DESTINATION ${PLIMSOLL_CMAKE_DIR} COMPONENT devel)
install(EXPORT plimsollCTargets NAMESPACE plimsoll:: DESTINATION ${PLIMSOLL_CMAKE_DIR} COMPONENT devel)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/plimsollConfig.cmake.in ${CMAKE_BINARY_DIR}/plimsollConfig.cmake
  INSTALL_DESTINATION ${PLIMSOLL_CMAKE_DIR})
# Before 1.0 a minor version may break the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/plimsollConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/plimsollConfig.cmake ${CMAKE_BINARY_DIR}/plimsollConfigVersion.cmake
  DESTINATION ${PLIMSOLL_CMAKE_DIR} COMPONENT devel)

file(RELATIVE_PATH PLIMSOLL_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)   # ../.. or ../../..
foreach(pc plimsoll plimsoll-c)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/${pc}.pc.in ${CMAKE_BINARY_DIR}/${pc}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${pc}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT devel)
endforeach()
