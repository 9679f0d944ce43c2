// SPDX-License-Identifier: Apache-2.0
// Which elements of a tensor a value of type S stands for, for functions that depend on the place.
#pragma once

#include "types.hpp"

namespace atom {

// S a scalar: the element `first` in row-major order. S lanes: lane i is the element first + i.
template <class S> struct Elements { Index first; };

}  // namespace atom
