# One function per kind of target, so that a layer's CMakeLists.txt is two lines.

add_library(plimsoll_flags INTERFACE)
target_compile_options(plimsoll_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Werror -fno-strict-aliasing)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(plimsoll_flags INTERFACE -Wthread-safety)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
  target_compile_options(plimsoll_flags INTERFACE -msse4.2)   # crc32c and key-head search; docs/decisions
endif()
if(PLIMSOLL_SANITIZE)
  target_compile_options(plimsoll_flags INTERFACE -fsanitize=${PLIMSOLL_SANITIZE} -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan -Wno-maybe-uninitialized>)
  target_link_options(plimsoll_flags INTERFACE -fsanitize=${PLIMSOLL_SANITIZE})
endif()
if(PLIMSOLL_ATOMIC_PAGES)
  target_compile_definitions(plimsoll_flags INTERFACE PLIMSOLL_ATOMIC_PAGES)
endif()
if(PLIMSOLL_LATCHED_READS)
  target_compile_definitions(plimsoll_flags INTERFACE PLIMSOLL_LATCHED_READS)
endif()
if(PLIMSOLL_PERTURB)
  target_compile_definitions(plimsoll_flags INTERFACE PLIMSOLL_PERTURB)
endif()

# plimsoll_layer(NAME [layer or library ...]): the static library plimsoll_NAME from all .cpp files of the folder.
function(plimsoll_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(plimsoll_${name} STATIC ${sources})
  target_include_directories(plimsoll_${name} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src> $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>)
  target_link_libraries(plimsoll_${name} PUBLIC ${ARGN} PRIVATE $<BUILD_INTERFACE:plimsoll_flags>)
endfunction()

# For code whose speed does not matter: a third less time to compile, and two thirds less under the sanitizers. The engine keeps its -O.
function(plimsoll_quick_compile target)
  if(PLIMSOLL_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
  endif()
endfunction()

# plimsoll_test(NAME LABELS l... SOURCES s... LIBS l...): a GoogleTest program, each test case known to ctest.
function(plimsoll_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "LABELS;SOURCES;LIBS" ${ARGN})
  if(NOT T_TIMEOUT)   # for what hangs; a busy machine may be ten times slower than an idle one
    set(T_TIMEOUT 600)
  endif()
  add_executable(${name} ${T_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${T_LIBS} GTest::gtest GTest::gtest_main plimsoll_flags)
  plimsoll_quick_compile(${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()

# plimsoll_c_program(TARGET): a program in C11 that links with the shared library alone.
function(plimsoll_c_program target)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Werror)
  target_link_libraries(${target} PRIVATE plimsoll::c Threads::Threads)
  if(PLIMSOLL_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PLIMSOLL_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${PLIMSOLL_SANITIZE})
  endif()
endfunction()
