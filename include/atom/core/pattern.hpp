// SPDX-License-Identifier: Apache-2.0
// matches: names by patterns such as "blocks.11.*" or "*norm*".
#pragma once

#include <string_view>

namespace atom {

// Whether `name` is `pattern`, in which each * stands for any characters or none.
constexpr bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, after_star = pattern.npos, tried = 0;  // what a * stands for ends before `tried`
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      tried = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (after_star != pattern.npos) {
      p = after_star;
      n = ++tried;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

}  // namespace atom
