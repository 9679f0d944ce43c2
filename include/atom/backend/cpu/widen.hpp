// SPDX-License-Identifier: Apache-2.0
// Lanes of narrow numbers, for each instruction set (widen.inl).
#pragma once

#include "lanes.hpp"

#define ATOM_KERNEL_TEXT "widen.inl"
#include "each_isa.hpp"
