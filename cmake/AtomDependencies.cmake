# SPDX-License-Identifier: Apache-2.0
# What the headers include from elsewhere. Used by our own build and by find_package(atom).
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)            # atom/tensor/format.hpp
find_dependency(nlohmann_json)  # atom/io/json.hpp: its parser only
