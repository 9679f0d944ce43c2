// SPDX-License-Identifier: Apache-2.0
// The source of a template as tokens, with the white space around tags as trim_blocks and lstrip_blocks leave it.
#pragma once

#include "tokens.hpp"

namespace atom::io::jinja {

class Lexer {
 public:
  Lexer(Context& context, std::string_view source) : source_(context, source) {}

  std::vector<Token> tokens() {
    while (!source_.at_end()) between_tags();
    add(Token::Type::end);
    return std::move(tokens_);
  }

 private:
  void add(Token::Type type, std::string text = {}) { tokens_.push_back(source_.token(type, std::move(text))); }
  // Moves past the end of a tag; whether it ends a line matters for lstrip_blocks.
  void move_past(std::size_t to) {
    line_starts_ = source_[to - 1] == '\n';
    source_.move_to(to);
  }

  // Adds the data before a tag; `sign` is the tag's '-', '+' or neither.
  void add_data(std::string_view data, char sign, bool print) {
    if (sign == '-') {
      data = strip_spaces(data, false, true);
    } else if (sign != '+' && !print) {
      const std::size_t line = data.rfind('\n') + 1;  // npos + 1 is 0
      if ((line > 0 || line_starts_) && strip_spaces(data.substr(line)).empty()) data = data.substr(0, line);
    }
    if (!data.empty()) add(Token::Type::data, std::string(data));
  }

  static std::size_t next_tag(std::string_view text) {
    for (std::size_t at = text.find('{'); at != text.npos; at = text.find('{', at + 1))
      if (at + 1 < text.size() && (text[at + 1] == '%' || text[at + 1] == '{' || text[at + 1] == '#')) return at;
    return text.npos;
  }
  char sign_at(std::size_t at) const { return source_[at] == '-' || source_[at] == '+' ? source_[at] : char{0}; }

  void between_tags() {
    const std::string_view rest = source_.rest();
    const std::size_t data = next_tag(rest), tag = source_.at() + data;
    if (data == rest.npos) {
      add(Token::Type::data, std::string(rest));
      return source_.move_to(source_.size());
    }
    const char kind = rest[data + 1], sign = sign_at(tag + 2);
    add_data(rest.substr(0, data), sign, kind == '{');
    const std::size_t inside = tag + 2 + (sign != 0 ? 1 : 0);
    if (kind == '%' && raw(inside)) return;
    source_.move_to(inside);
    if (kind == '#') return comment();
    add(kind == '%' ? Token::Type::block_begin : Token::Type::print_begin);
    in_tag(kind == '{');
  }

  void comment() {
    const std::size_t length = source_.rest().find("#}"), inside = source_.at();
    if (length == std::string_view::npos) source_.fail("comment: found no '#}'");
    // The sign before the end belongs to it, unless it is the one of the start.
    close(inside + length, length > 0 ? source_[inside + length - 1] : char{0});
  }

  // Past '%}' or '#}', with what its sign or trim_blocks takes along.
  void close(std::size_t at, char sign) {
    std::size_t end = at + 2;
    if (sign == '-')
      end = source_.after_spaces(end);
    else if (sign != '+' && source_[end] == '\n')
      ++end;
    move_past(end);
  }

  bool word(std::size_t& at, std::string_view wanted) const {
    at = source_.after_spaces(at);
    if (!source_.rest(at).starts_with(wanted)) return false;
    at = source_.after_spaces(at + wanted.size());
    return true;
  }
  // A raw block whole, if one begins here.
  bool raw(std::size_t inside) {
    if (!word(inside, "raw")) return false;
    if (source_.rest(inside).starts_with("-%}"))
      inside = source_.after_spaces(inside + 3);
    else if (source_.rest(inside).starts_with("%}"))
      inside += 2;
    else
      return false;
    move_past(inside);
    const std::string_view rest = source_.rest();
    for (std::size_t data = rest.find("{%"); data != rest.npos; data = rest.find("{%", data + 1)) {
      const char sign = sign_at(inside + data + 2);
      std::size_t end = inside + data + 2 + (sign != 0 ? 1 : 0);
      if (!word(end, "endraw")) continue;
      const char close_sign = sign_at(end);
      if (close_sign != 0) ++end;
      if (!source_.rest(end).starts_with("%}")) continue;
      add_data(rest.substr(0, data), sign, false);
      close(end, close_sign);
      return true;
    }
    source_.fail("raw: found no endraw");
  }

  void in_tag(bool print) {
    const std::string_view end = print ? "}}" : "%}";
    for (std::string open;;) {
      source_.move_to(source_.after_spaces(source_.at()));
      if (source_.at_end()) source_.fail(print ? "'{{' without its '}}'" : "'{%' without its '%}'");
      const char sign = sign_at(source_.at());
      const bool signed_end =
          (sign == '-' || (sign == '+' && !print)) && source_.rest(source_.at() + 1).starts_with(end);
      if (open.empty() && (signed_end || source_.here(end))) {
        add(print ? Token::Type::print_end : Token::Type::block_end);
        const std::size_t at = source_.at() + (signed_end ? 1 : 0);
        if (!print) return close(at, signed_end ? sign : char{0});
        return move_past(signed_end ? source_.after_spaces(at + 2) : at + 2);
      }
      tokens_.push_back(read_token(source_, open));
    }
  }

  Source source_;
  bool line_starts_ = true;
  std::vector<Token> tokens_;
};

}  // namespace atom::io::jinja
