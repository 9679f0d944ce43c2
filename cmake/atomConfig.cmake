# SPDX-License-Identifier: Apache-2.0
# find_package(atom) gives atom::atom and atom_add_executable(); with ATOM_CUDA=ON also atom::cuda.
include(${CMAKE_CURRENT_LIST_DIR}/AtomDependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/atomTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/AtomAddExecutable.cmake)
