#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of Unicode that tokenizers need into a folder: include/atom/io/unicode_table.hpp (classes, 16.0),
and normalize_table.hpp and normalize_pairs.hpp (canonical composition, 9.0).

Usage: pip install unicodedata2==16.0.0 && python3 cmake/make_unicode.py include/atom/io
These are the versions that the tokenizers we agree with were built on; newer letters would change their ids.
"""
import sys

import unicodedata2 as unicode

assert unicode.unidata_version == "16.0.0", unicode.unidata_version
# White_Space is no field of UnicodeData.txt: separators and these controls (PropList.txt, stable since Unicode 6.3).
CONTROLS = {*range(0x09, 0x0E), 0x85}
CLASSES = {"N": 2, "M": 3, "P": 4, "S": 5, "Lu": 6, "Ll": 7, "Lt": 8, "Lm": 9, "Lo": 10}


def spans(text):  # "24B6-24E9 200C": the code points
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


# Script=Han (Scripts.txt 16.0).
HAN = set(spans("2E80-2E99 2E9B-2EF3 2F00-2FD5 3005 3007 3021-3029 3038-303B 3400-4DBF 4E00-9FFF F900-FA6D FA70-FAD9 "
                "16FE2-16FE3 16FF0-16FF1 20000-2A6DF 2A700-2B739 2B740-2B81D 2B820-2CEA1 2CEB0-2EBE0 2EBF0-2EE5D "
                "2F800-2FA1D 30000-3134A 31350-323AF"))
# Beside letters, marks, Nd, Nl and Pc, \w has Join_Control and the symbols that are Alphabetic.
WORD = set(spans("200C 200D 24B6-24E9 1F130-1F149 1F150-1F169 1F170-1F189"))
# Marks and compositions that came after Unicode 9.0: unknown to the normalizer we agree with.
NEW_MARKS = set(spans("7FD 897-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1DF6-1DFA A82C 10D24-10D27 10D69-10D6D "
                      "10EAB-10EAC 10EFD-10EFF 10F46-10F50 10F82-10F85 11070 1133B 113CE-113D0 1145E 11839-1183A "
                      "1193D-1193E 11943 119E0 11A34 11A47 11A99 11D42 11D44-11D45 11D97 11F41-11F42 1612F 16FF0-16FF1 "
                      "1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF"))
NEW_PAIRS = set(spans("105C9 105E4 11383 11385 1138E 11391 113C5 113C7 113C8 11938 16121-16128 16D68-16D6A"))


def classes(code):
    name = unicode.category(chr(code))
    if code in CONTROLS or name in ("Zs", "Zl", "Zp"):
        return 1
    word = name[0] in "LM" or name in ("Nd", "Nl", "Pc") or code in WORD
    return CLASSES.get(name, CLASSES.get(name[0], 0)) | 16 * (code in HAN) | 32 * word


def mark_class(code):
    return 0 if code in NEW_MARKS else unicode.combining(chr(code))


def runs(value):
    result, first = [], 0
    for code in range(1, 0x110001):
        if code == 0x110000 or value(code) != value(first):
            result.append((first, code - first, value(first)))
            first = code
    return result


def write(name, comment, *arrays):
    with open(f"{sys.argv[1]}/{name}", "w") as file:
        print("// SPDX-License-Identifier: Apache-2.0", file=file)
        for line in comment:
            print("// " + line, file=file)
        print("#pragma once\n\n#include <cstdint>\n\nnamespace atom::io::detail {\n\n// clang-format off", file=file)
        for kind, array, values in arrays:
            print(f"inline constexpr std::{kind} {array}[] = {{", file=file)
            line = " "
            for value in values:
                if len(line) + len(str(value)) + 2 > 120:
                    print(line, file=file)
                    line = " "
                line += f" {value},"
            print(line + "\n};", file=file)
        print("// clang-format on\n\n}  // namespace atom::io::detail", file=file)


singles, pairs = [], []
for code in range(0x110000):
    to = unicode.decomposition(chr(code))
    if to and not to.startswith("<") and code not in NEW_PAIRS:
        parts = [int(part, 16) for part in to.split()]
        # Whether the pair composes again: the exclusions are those that do not come back.
        back = len(parts) == 2 and unicode.normalize("NFC", chr(code)) == chr(code)
        (pairs if len(parts) == 2 else singles).append([code, *parts, int(back)])

write("unicode_table.hpp",
      ["Written by cmake/make_unicode.py from Unicode 16.0: runs of characters of one class, from U+0000 on.",
       "An entry is the run's length << 6 | class: 0 other, 1 White_Space, 2 N, 3 M, 4 P, 5 S, 6 Lu, 7 Ll, 8 Lt, 9 Lm,",
       "10 Lo; + 16 for the script Han, + 32 for \\w."],
      ("uint32_t", "unicode_runs", [length << 6 | value for _, length, value in runs(classes)]))
write("normalize_table.hpp",
      ["Written by cmake/make_unicode.py from Unicode 9.0. mark_runs: first << 8 | canonical combining class of runs of",
       "characters, ascending. single_decompositions: a character and the one it stands for, ascending."],
      ("uint32_t", "mark_runs", [first << 8 | value for first, _, value in runs(mark_class)]),
      ("uint32_t", "single_decompositions", [value for single in singles for value in single[:2]]))
write("normalize_pairs.hpp",
      ["Written by cmake/make_unicode.py from Unicode 9.0: characters, ascending, and the two they are composed of.",
       "An entry is the character << 1 | whether composing gives it back, the first part, the second."],
      ("uint32_t", "pair_decompositions", [v for c, a, b, back in pairs for v in (c << 1 | back, a, b)]))
