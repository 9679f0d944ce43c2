// SPDX-License-Identifier: Apache-2.0
// Normalization form C: canonical decomposition, order and composition (Unicode Standard Annex 15). Of Unicode 9.0, as
// the normalizer of Hugging Face's tokenizers has it: marks and compositions that came later stay as they are.
#pragma once

#include "../core/utf8.hpp"
#include "normalize_pairs.hpp"
#include "normalize_table.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

namespace atom::io {

namespace detail {

class Composer {
 public:
  // Appends the text in form C. Bytes that are not UTF-8 pass as they are, and nothing composes across them.
  static void append(std::string& to, std::string_view text) {
    const Tables& tables = the_tables();
    std::vector<Mark> pending;  // decomposed, from a character on that nothing before it can change
    std::size_t copied = 0;     // text before this is in `to` or pending
    std::size_t base = 0;       // where the last character that needs no look began; text[copied, base) is final
    const auto flush = [&] {
      order_and_compose(pending, tables);
      for (const Mark& mark : pending) append_utf8(to, mark.code);
      pending.clear();
    };
    for (std::size_t at = 0; at < text.size();) {
      const auto [code, length, cut] = utf8_at(text, at);
      const std::size_t next = at + length;
      if (code == no_character || code < 0xC0 || !tables.page[code >> 8U] || !changes(code, tables)) {
        if (!pending.empty()) {
          flush();
          copied = at;
        }
        base = code == no_character ? next : at;
      } else {
        if (pending.empty()) {
          to.append(text, copied, base - copied);
          if (base < at) pending.push_back({utf8_at(text, base).code, 0});
        }
        const std::size_t first = pending.size();
        decompose(code, pending, tables);
        if (first > 0 && pending[first].order == 0 && !joins(pending[first].code, tables)) {
          std::vector<Mark> rest(pending.begin() + static_cast<std::ptrdiff_t>(first), pending.end());
          pending.resize(first);
          flush();
          pending = std::move(rest);
        }
        copied = base = next;
      }
      at = next;
    }
    flush();
    to.append(text, copied);
  }

 private:
  struct Mark {
    char32_t code;
    std::uint32_t order;  // canonical combining class
  };
  struct Pair {
    char32_t first, second, code;
    constexpr auto operator<=>(const Pair&) const = default;
  };
  struct Tables {
    std::vector<Pair> compositions;   // by first and second
    std::vector<char32_t> joining;    // starters that compose with what is before them, ascending
    std::array<bool, 0x1100> page{};  // of 256 codes: whether any of them changes
  };

  // Hangul syllables are computed (Unicode Standard 3.12).
  static constexpr char32_t syllable = 0xAC00, lead = 0x1100, vowel = 0x1161, tail = 0x11A7;
  static constexpr char32_t leads = 19, vowels = 21, tails = 28, syllables = leads * vowels * tails;

  static const Tables& the_tables() {
    static const Tables made = [] {
      Tables tables;
      for (std::size_t i = 0; i < std::size(pair_decompositions); i += 3) {
        const Pair pair{pair_decompositions[i + 1], pair_decompositions[i + 2], pair_decompositions[i] >> 1U};
        if ((pair_decompositions[i] & 1U) == 1) tables.compositions.push_back(pair);
        if (order_of(pair.second) == 0) tables.joining.push_back(pair.second);
        tables.page[pair.code >> 8U] = tables.page[pair.second >> 8U] = true;
      }
      for (std::size_t i = 0; i < std::size(single_decompositions); i += 2)
        tables.page[single_decompositions[i] >> 8U] = true;
      for (std::size_t i = 0; i + 1 < std::size(mark_runs); ++i)
        for (std::uint32_t page = mark_runs[i] >> 16U; page <= ((mark_runs[i + 1] >> 8U) - 1) >> 8U; ++page)
          tables.page[page] = tables.page[page] || (mark_runs[i] & 255U) != 0;
      tables.page[vowel >> 8U] = true;
      std::sort(tables.compositions.begin(), tables.compositions.end());
      std::sort(tables.joining.begin(), tables.joining.end());
      return tables;
    }();
    return made;
  }

  static std::uint32_t order_of(char32_t code) {
    const auto* after = std::upper_bound(std::begin(mark_runs), std::end(mark_runs), code << 8U | 255U);
    return after[-1] & 255U;
  }
  static bool joins(char32_t code, const Tables& tables) {
    return (code >= vowel && code < vowel + vowels) || (code > tail && code < tail + tails) ||
           std::binary_search(tables.joining.begin(), tables.joining.end(), code);
  }
  // The entry of a sorted table with `stride` numbers each, the first of them `code << shift | anything`; or nullptr.
  template <std::size_t stride, std::size_t size>
  static const std::uint32_t* entry_of(const std::uint32_t (&table)[size], char32_t code, unsigned shift) {
    std::size_t low = 0, high = size / stride;
    while (high - low > 1) {
      const std::size_t middle = (low + high) / 2;
      (table[middle * stride] >> shift <= code ? low : high) = middle;
    }
    return table[low * stride] >> shift == code ? table + low * stride : nullptr;
  }

  // Whether the character can change, or change what is before it; every other one stands for itself.
  static bool changes(char32_t code, const Tables& tables) {
    return order_of(code) != 0 || joins(code, tables) || entry_of<3>(pair_decompositions, code, 1) != nullptr ||
           entry_of<2>(single_decompositions, code, 0) != nullptr;
  }

  static void decompose(char32_t code, std::vector<Mark>& to, const Tables& tables) {
    if (const auto* pair = entry_of<3>(pair_decompositions, code, 1)) {
      decompose(pair[1], to, tables);
      decompose(pair[2], to, tables);
    } else if (const auto* single = entry_of<2>(single_decompositions, code, 0)) {
      decompose(single[1], to, tables);
    } else {
      to.push_back({code, order_of(code)});
    }
  }

  static char32_t composed(char32_t first, char32_t second, const Tables& tables) {  // or no_character
    if (first >= lead && first < lead + leads && second >= vowel && second < vowel + vowels)
      return syllable + ((first - lead) * vowels + (second - vowel)) * tails;
    if (first >= syllable && first < syllable + syllables && (first - syllable) % tails == 0 && second > tail &&
        second < tail + tails)
      return first + (second - tail);
    const auto found = std::lower_bound(tables.compositions.begin(), tables.compositions.end(), Pair{first, second, 0});
    return found != tables.compositions.end() && found->first == first && found->second == second ? found->code
                                                                                                  : no_character;
  }

  static void order_and_compose(std::vector<Mark>& marks, const Tables& tables) {
    for (std::size_t first = 0; first < marks.size();) {
      std::size_t end = first;
      while (end < marks.size() && marks[end].order != 0) ++end;
      const auto start = marks.begin();
      std::stable_sort(start + static_cast<std::ptrdiff_t>(first), start + static_cast<std::ptrdiff_t>(end),
                       [](const Mark& a, const Mark& b) { return a.order < b.order; });
      first = end + 1;
    }
    std::size_t kept = 0, starter = marks.size();  // none yet
    for (const Mark mark : marks) {
      // Blocked by what stands between it and the starter, unless that is of a lower class.
      const bool open = starter < kept && (starter + 1 == kept || marks[kept - 1].order < mark.order);
      const char32_t code = open ? composed(marks[starter].code, mark.code, tables) : no_character;
      if (code != no_character) {
        marks[starter].code = code;
        continue;
      }
      if (mark.order == 0) starter = kept;
      marks[kept++] = mark;
    }
    marks.resize(kept);
  }
};

}  // namespace detail

inline void append_nfc(std::string& to, std::string_view text) { detail::Composer::append(to, text); }

}  // namespace atom::io
