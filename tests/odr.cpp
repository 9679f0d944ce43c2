// SPDX-License-Identifier: Apache-2.0
// Linked into every test program: a header without `inline` or `#pragma once` breaks the build.
#include <atom/atom.hpp>
// A second time, in a block of its own.
#include <atom/atom.hpp>
