#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints include/atom/io/unicode_table.hpp: the general categories L and N and the property White_Space.

Usage: pip install unicodedata2==16.0.0 && python3 cmake/make_unicode.py > include/atom/io/unicode_table.hpp
Unicode 16.0 is what the tokenizers that we agree with were built on; newer letters would change their ids.
"""
import unicodedata2 as unicode

assert unicode.unidata_version == "16.0.0", unicode.unidata_version
# White_Space is no field of UnicodeData.txt: separators and these controls (PropList.txt, stable since Unicode 6.3).
CONTROLS = {*range(0x09, 0x0E), 0x85}


def category(code):
    name = unicode.category(chr(code))
    if code in CONTROLS or name in ("Zs", "Zl", "Zp"):
        return 3
    return {"L": 1, "N": 2}.get(name[0], 0)


starts, last = [], None
for code in range(0x110000):
    if category(code) != last:
        last = category(code)
        starts.append(code << 2 | last)

print("// SPDX-License-Identifier: Apache-2.0")
print("// Written by cmake/make_unicode.py from Unicode 16.0: where runs of characters of one class begin, ascending.")
print("// An entry is the run's first code << 2 | class: 0 other, 1 letter (L), 2 number (N), 3 White_Space.")
print("#pragma once\n\n#include <cstdint>\n\nnamespace atom::io::detail {\n\n// clang-format off")
print("inline constexpr std::uint32_t unicode_runs[] = {")
line = " "
for entry in starts:
    word = f" {entry:#x},"
    if len(line) + len(word) > 120:
        print(line)
        line = " "
    line += word
print(line + "\n};\n// clang-format on\n\n}  // namespace atom::io::detail")
