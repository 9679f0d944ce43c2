# SPDX-License-Identifier: Apache-2.0
# What the headers include from elsewhere. Used by our own build and by find_package(atom).
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(nlohmann_json)
find_dependency(Eigen3 NO_MODULE)  # asked without a version: Eigen 5 refuses a request for 3.4
if(Eigen3_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "atom needs Eigen 3.4 or newer: found ${Eigen3_VERSION}")
endif()
