// SPDX-License-Identifier: Apache-2.0
// Blocks of a template: for, if, set, macro, call, filter, with, generation, break and continue.
#pragma once

#include "primary.hpp"

namespace atom::io::jinja {

inline Block Parser::parse() {
  Block body = parse_block({});
  require(sees(Type::end), "found ", shown(), ", expected the end");
  return body;
}

// Up to '{% END', of which both tokens are taken; without ends, up to the end of the template.
inline Block Parser::parse_block(std::initializer_list<std::string_view> ends) {
  Block block;
  while (!sees(Type::end)) {
    if (sees(Type::data)) {
      Stmt data{.op = Stmt::Op::data, .line = now().line};
      data.text = take().text;
      block.push_back(std::move(data));
    } else if (sees(Type::print_begin)) {
      take();
      Stmt print{.op = Stmt::Op::print, .line = now().line};
      print.value = parse_tuple(false, true, {}, false, false);
      expect(Type::print_end, "'}}'");
      block.push_back(std::move(print));
    } else {
      expect(Type::block_begin, "a tag");
      if (sees(Type::name) && std::ranges::find(ends, now().text) != ends.end()) return block;
      block.push_back(parse_statement());
      expect(Type::block_end, "'%}'");
    }
  }
  return block;
}

inline Block Parser::parse_until(std::initializer_list<std::string_view> ends, std::string_view of, int line) {
  skip(":");
  expect(Type::block_end, "'%}'");
  Block block = parse_block(ends);
  require(!sees(Type::end), of, " of line ", line, ": found no ", *(ends.end() - 1));
  return block;
}

inline Stmt Parser::parse_statement() {
  const Level level(*this);
  const int line = now().line;
  const std::string name = expect(Type::name, "the name of a tag").text;
  const auto start = [&](Stmt::Op op) {
    Stmt stmt;
    stmt.op = op;
    stmt.line = line;
    return stmt;
  };
  // The body of what is a function of its own: break and continue do not reach out of it.
  const auto function_body = [&](Stmt& stmt, std::string_view end) {
    const int outside = std::exchange(loops_, 0);
    stmt.body = parse_until({end}, name, line);
    take();
    loops_ = outside;
  };
  if (name == "for") return parse_for(start(Stmt::Op::loop));
  if (name == "if") return parse_if(start(Stmt::Op::branch));
  if (name == "set") return parse_set(start(Stmt::Op::assign));
  if (name == "with") return parse_with(start(Stmt::Op::with));
  if (name == "break" || name == "continue") {
    require(loops_ > 0, name, ": found it outside of a loop");
    return start(name == "break" ? Stmt::Op::stop : Stmt::Op::skip);
  }
  if (name == "macro") {
    Stmt stmt = start(Stmt::Op::macro);
    stmt.text = expect_name();
    parse_signature(stmt);
    function_body(stmt, "endmacro");
    return stmt;
  }
  if (name == "call") {
    Stmt stmt = start(Stmt::Op::call_block);
    if (sees("(")) parse_signature(stmt);
    stmt.value = parse_expression();
    require(stmt.value->op == Op::call, "call: expected the call of a macro");
    function_body(stmt, "endcall");
    return stmt;
  }
  if (name == "generation") {
    Stmt stmt = start(Stmt::Op::call_block);
    function_body(stmt, "endgeneration");
    return stmt;
  }
  if (name == "filter") {
    Stmt stmt = start(Stmt::Op::filter_block);
    stmt.value = parse_filter_chain(parse_filter(make(Op::captured, line)));
    stmt.body = parse_until({"endfilter"}, name, line);
    take();
    return stmt;
  }
  if (name == "print") {
    Stmt stmt = start(Stmt::Op::print);
    stmt.value = parse_expression();
    return stmt;
  }
  for (const std::string_view other : {"include", "import", "from", "extends", "block"})
    require(name != other, other, ": templates cannot read or extend others here");
  require(false, "found tag ", in_quotes(name, 60),
          ", expected one of for, if, set, macro, call, filter, with, raw, "
          "generation, break, continue");
  return {};
}

inline Stmt Parser::parse_for(Stmt stmt) {
  stmt.target = parse_target(false, "in");
  require(skip_word("in"), "for: found ", shown(), ", expected 'in'");
  stmt.value = parse_tuple(false, false, "recursive", false, false);
  if (skip_word("if")) stmt.test = parse_expression();
  stmt.recursive = skip_word("recursive");
  const int outside = stmt.recursive ? std::exchange(loops_, 0) : loops_;
  ++loops_;
  stmt.body = parse_until({"else", "endfor"}, "for", stmt.line);
  --loops_;
  if (take().text == "else") {
    stmt.otherwise = parse_until({"endfor"}, "for", stmt.line);
    take();
  }
  loops_ = outside;
  return stmt;
}

inline Stmt Parser::parse_if(Stmt stmt) {
  for (;;) {
    ExprRef test = parse_tuple(false, false, {}, false, false);
    Block body = parse_until({"elif", "else", "endif"}, "if", stmt.line);
    stmt.branches.emplace_back(std::move(test), std::move(body));
    const std::string end = take().text;
    if (end == "elif") continue;
    if (end == "else") {
      stmt.otherwise = parse_until({"endif"}, "if", stmt.line);
      take();
    }
    return stmt;
  }
}

inline Stmt Parser::parse_set(Stmt stmt) {
  stmt.target = parse_target(true, {});
  if (skip("=")) {
    stmt.value = parse_tuple(false, true, {}, false, false);
    return stmt;
  }
  stmt.op = Stmt::Op::assign_block;
  if (sees("|")) stmt.value = parse_filter_chain(make(Op::captured, stmt.line));
  stmt.body = parse_until({"endset"}, "set", stmt.line);
  take();
  return stmt;
}

inline Stmt Parser::parse_with(Stmt stmt) {
  while (!sees(Type::block_end)) {
    if (!stmt.bindings.empty()) expect(",");
    ExprRef target = parse_target(false, {});
    expect("=");
    stmt.bindings.emplace_back(std::move(target), parse_expression());
  }
  stmt.body = parse_until({"endwith"}, "with", stmt.line);
  take();
  return stmt;
}

inline void Parser::parse_signature(Stmt& stmt) {
  expect("(");
  while (!sees(")")) {
    if (!stmt.parameters.empty()) expect(",");
    std::string name = expect_name();
    for (const auto& [other, value] : stmt.parameters)
      require(other != name, "found parameter ", in_quotes(name, 60), " twice");
    ExprRef value = skip("=") ? parse_expression() : nullptr;
    require(value || stmt.parameters.empty() || !stmt.parameters.back().second, "parameter ", in_quotes(name, 60),
            ": expected a default, since the one before it has one");
    stmt.parameters.emplace_back(std::move(name), std::move(value));
  }
  expect(")");
}

inline ExprRef Parser::parse_target(bool members, std::string_view end_word) {
  ExprRef target = parse_tuple(true, true, end_word, false, members);
  require_target(*target);
  return target;
}
inline void Parser::require_target(const Expr& target) {
  require(target.op == Op::name || target.op == Op::member || target.op == Op::tuple,
          "found a value, expected a name to assign to");
  require(loops_ == 0 || target.op != Op::name || target.name != "loop",
          "found loop, expected another name to assign to");
  for (const ExprRef& part : target.parts) require_target(*part);
}

}  // namespace atom::io::jinja
