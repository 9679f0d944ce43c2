# SPDX-License-Identifier: Apache-2.0
# What our own programs and tests have in common, and no one else's.

# Warnings are errors.
set(warnings -Wall -Wextra -Wshadow -Wconversion -Werror)
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${warnings};-Wpedantic>")
list(JOIN warnings "," warnings)  # without -Wpedantic: what nvcc hands to the host compiler is not pedantic
add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${warnings};--Werror=all-warnings>")

# g++ collects its garbage late: a sixth less time, half as much memory again.
add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,GNU>:--param=ggc-min-heapsize=1200000>")

# The models that most programs use, and their loading, are compiled once. Not by nvcc: a kernel belongs to the file that
# launches it.
if(NOT ATOM_CUDA)
  if(NOT TARGET atom_models)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/models*.cpp)
    add_library(atom_models STATIC ${sources})
    atom_use(atom_models)
    target_compile_definitions(atom_models INTERFACE ATOM_EXTERN_MODELS=1)
  endif()
  link_libraries(atom_models)
endif()

# atom_add_test(NAME PROGRAM ARG...), labelled with its program. One that needs a GPU where there is none says so in one
# line and is skipped: it never passes.
function(atom_add_test name program)
  add_test(NAME ${name} COMMAND ${program} ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS ${program})
  if(ATOM_CUDA)
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "^[^\n]*no such GPU: found 0[^\n]*\n?$")
  endif()
endfunction()
