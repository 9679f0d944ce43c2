# SPDX-License-Identifier: Apache-2.0
# atom_add_executable(NAME SOURCE...): a program that includes atom. With ATOM_CUDA=ON nvcc compiles the same sources.
if(ATOM_CUDA AND NOT TARGET atom::cuda)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90a 120)  # never `native`: that fails where there is no GPU
  endif()
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX} AND EXISTS /usr/local/cuda/bin/nvcc)
    set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  add_library(atom::cuda INTERFACE IMPORTED GLOBAL)
  target_link_libraries(atom::cuda INTERFACE atom::atom CUDA::cudart CUDA::cublas)
  # fmt 9 does not compile under nvcc's consteval.
  target_compile_definitions(atom::cuda INTERFACE ATOM_CUDA=1 FMT_USE_CONSTEXPR=1)
  # The standard by hand: CMake 3.25 does not know nvcc's C++20.
  target_compile_options(atom::cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 --expt-relaxed-constexpr>)
endif()

# The compiler and the library of an existing target.
function(atom_use target)
  if(ATOM_CUDA)
    get_target_property(sources ${target} SOURCES)
    list(FILTER sources INCLUDE REGEX "[.]cpp$")
    set_source_files_properties(${sources} PROPERTIES LANGUAGE CUDA)
    target_link_libraries(${target} PRIVATE atom::cuda)
  else()
    target_link_libraries(${target} PRIVATE atom::atom)
  endif()
endfunction()

function(atom_add_executable name)
  add_executable(${name} ${ARGN})
  atom_use(${name})
endfunction()
