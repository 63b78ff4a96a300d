# Compiler, linker and warning settings of every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")

# The base every x86-64 server has; faster kernels are chosen at run time.
add_compile_options(-march=x86-64-v2 -Wall -Wextra -Wnon-virtual-dtor -Werror
  # Designated initialisers leave the rest at their defaults on purpose.
  -Wno-missing-field-initializers)

if(TANDEM_THREAD_SAFETY)
  add_compile_options(-Wthread-safety)
endif()

if(TANDEM_SANITIZE)
  add_compile_options(-fsanitize=${TANDEM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TANDEM_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns about its own instrumentation.
    add_compile_options(-Wno-maybe-uninitialized -Wno-tsan)
  endif()
endif()

if(TANDEM_SANITIZE MATCHES "thread")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS cmake/tsan_suppressions.txt)
  file(READ ${CMAKE_SOURCE_DIR}/cmake/tsan_suppressions.txt suppressions)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/tsan_suppressions.cc.in tsan_suppressions.cc @ONLY)
  add_library(tandem_tsan OBJECT ${CMAKE_CURRENT_BINARY_DIR}/tsan_suppressions.cc)
  link_libraries($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:tandem_tsan>>)
endif()

if(TANDEM_FUZZ)
  # The fuzzer steers by the edges that its input reaches.
  add_compile_options(-fsanitize=fuzzer-no-link)
  # Parsers are fuzzed, not kernels: one target of Highway's instead of six builds in half the time.
  # The usual macro of fuzz builds lowers bounds on what an input may cost (render_budget.h).
  add_compile_definitions(HWY_COMPILE_ONLY_STATIC FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
endif()

find_program(TANDEM_CCACHE ccache)
if(TANDEM_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${TANDEM_CCACHE})
endif()
find_program(TANDEM_MOLD mold)
if(TANDEM_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
