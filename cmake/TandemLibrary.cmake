# A folder below src/ is a library that sees only the folders it names as dependencies.
#
# Each library gets an include view of its own: a directory that holds one link, to its folder. Only
# the views of its dependencies are on a library's include path, so an include from a folder that it
# does not name, or that stands on its own level or above, does not compile.

function(tandem_target_name folder out)
  string(REPLACE "/" "_" name ${folder})
  set(${out} tandem_${name} PARENT_SCOPE)
endfunction()

# tandem_library(<folder> LEVEL <n> SOURCES <files>... [DEPS <folders>...] [LINKS <libraries>...])
function(tandem_library folder)
  cmake_parse_arguments(ARG "" "LEVEL" "SOURCES;DEPS;LINKS" ${ARGN})
  tandem_target_name(${folder} target)
  add_library(${target} STATIC ${ARG_SOURCES})
  set_target_properties(${target} PROPERTIES TANDEM_LEVEL ${ARG_LEVEL})

  set(view ${CMAKE_BINARY_DIR}/include/${target})
  get_filename_component(parent ${view}/${folder} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${folder} ${view}/${folder} SYMBOLIC)
  target_include_directories(${target} PUBLIC ${view})

  foreach(dependency ${ARG_DEPS})
    tandem_target_name(${dependency} dependency_target)
    if(NOT TARGET ${dependency_target})
      message(FATAL_ERROR "src/${folder} names src/${dependency}, which is not declared below it")
    endif()
    get_target_property(level ${dependency_target} TANDEM_LEVEL)
    if(NOT level LESS ARG_LEVEL)
      message(FATAL_ERROR
        "src/${folder} is on level ${ARG_LEVEL} and may not link src/${dependency} on level ${level}")
    endif()
    target_link_libraries(${target} PUBLIC ${dependency_target})
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})
endfunction()

# What a unit test may take; an instrumented engine takes many times longer.
set(TANDEM_UNIT_TEST_SECONDS 120)
if(TANDEM_SANITIZE)
  set(TANDEM_UNIT_TEST_SECONDS 1800)
endif()

# tandem_test(<folder> SOURCES <files>... [LINKS <libraries>...]): the unit tests beside a folder's
# source, as one program whose every test is a test of ctest.
function(tandem_test folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  if(NOT TANDEM_TESTS)
    return()
  endif()
  tandem_target_name(${folder} target)
  add_executable(${target}_test ${ARG_SOURCES})
  target_compile_definitions(${target}_test PRIVATE TANDEM_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target}_test PRIVATE ${target} ${ARG_LINKS} GTest::gmock_main)
  gtest_discover_tests(${target}_test TEST_PREFIX ${folder}. DISCOVERY_TIMEOUT 120
    # UCX patches the C library's memory functions when it is loaded, which ThreadSanitizer does not
    # survive.
    PROPERTIES TIMEOUT ${TANDEM_UNIT_TEST_SECONDS} ENVIRONMENT UCX_MEM_EVENTS=n)
endfunction()
