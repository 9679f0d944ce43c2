# SPDX-License-Identifier: Apache-2.0
# Warnings are errors in every translation unit of this project, and in no one else's.
set(warnings -Wall -Wextra -Wshadow -Wconversion -Werror)
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${warnings};-Wpedantic>")
list(JOIN warnings "," warnings)  # without -Wpedantic: what nvcc hands to the host compiler is not pedantic
add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${warnings};--Werror=all-warnings>")
