// SPDX-License-Identifier: Apache-2.0
// The inner part of expressions: literals, attributes, calls, filters, tests.
#pragma once

#include "parser.hpp"

namespace atom::io::jinja {

inline ExprRef Parser::parse_primary(bool member_targets) {
  const Level level(*this);
  const int line = now().line;
  ExprRef expr = make(Op::constant, line);
  if (sees(Type::name)) {
    const std::string name = take().text;
    if (name == "true" || name == "True" || name == "false" || name == "False") {
      expr->value = name == "true" || name == "True";
    } else if (name == "none" || name == "None") {
      expr->value = None{};
    } else {
      expr->op = Op::name;
      expr->name = name;
      if (member_targets && skip(".")) {
        expr->op = Op::member;
        expr->value = plain_text(expect_name());
      }
    }
  } else if (sees(Type::text)) {
    std::string text = take().text;
    while (sees(Type::text)) text += take().text;
    expr->value = plain_text(text);
  } else if (sees(Type::integer)) {
    expr->value = take().integer;
  } else if (sees(Type::real)) {
    expr->value = take().real;
  } else if (skip("(")) {
    expr = parse_tuple(false, true, {}, true, false);
    expect(")");
  } else if (sees("[")) {
    return parse_list();
  } else if (sees("{")) {
    return parse_dict();
  } else {
    require(false, "found ", shown(), ", expected an expression");
  }
  return expr;
}

inline ExprRef Parser::parse_tuple(bool simple, bool with_condition, std::string_view end_word, bool parentheses,
                                   bool member_targets) {
  const int line = now().line;
  std::vector<ExprRef> items;
  bool tuple = false;
  for (;;) {
    if (!items.empty()) expect(",");
    if (sees(Type::print_end) || sees(Type::block_end) || sees(")") || (!end_word.empty() && sees_word(end_word)))
      break;
    items.push_back(simple ? parse_primary(member_targets) : parse_expression(with_condition));
    if (!sees(",")) break;
    tuple = true;
  }
  if (!tuple && !items.empty()) return std::move(items.front());
  require(tuple || parentheses, "found ", shown(), ", expected an expression");
  ExprRef expr = make(Op::tuple, line);
  expr->parts = std::move(items);
  return done(std::move(expr));
}

inline ExprRef Parser::parse_list() {
  ExprRef expr = make(Op::list, take().line);
  while (!sees("]")) {
    if (!expr->parts.empty()) expect(",");
    if (sees("]")) break;
    expr->parts.push_back(parse_expression());
  }
  expect("]");
  return done(std::move(expr));
}

inline ExprRef Parser::parse_dict() {
  ExprRef expr = make(Op::dict, take().line);
  while (!sees("}")) {
    if (!expr->parts.empty()) expect(",");
    if (sees("}")) break;
    expr->parts.push_back(parse_expression());
    expect(":");
    expr->parts.push_back(parse_expression());
  }
  expect("}");
  return done(std::move(expr));
}

inline ExprRef Parser::parse_postfix(ExprRef expr) {
  for (;;) {
    if (sees(".") || sees("[")) {
      expr = parse_subscript(std::move(expr));
    } else if (sees("(")) {
      expr = make(Op::call, now().line, std::move(expr));
      parse_arguments(*expr);
      expr = done(std::move(expr));
    } else {
      return expr;
    }
  }
}

inline ExprRef Parser::parse_filters_and_tests(ExprRef expr) {
  for (;;) {
    if (skip("|")) {
      expr = parse_filter(std::move(expr));
    } else if (skip_word("is")) {
      expr = parse_test(std::move(expr));
    } else if (sees("(")) {
      expr = make(Op::call, now().line, std::move(expr));
      parse_arguments(*expr);
      expr = done(std::move(expr));
    } else {
      return expr;
    }
  }
}

inline ExprRef Parser::parse_subscript(ExprRef expr) {
  const int line = now().line;
  if (skip(".")) {
    if (sees(Type::integer)) {
      ExprRef index = make(Op::constant, line);
      index->value = take().integer;
      return make(Op::item, line, std::move(expr), std::move(index));
    }
    ExprRef result = make(Op::attribute, line, std::move(expr));
    result->name = expect_name();
    return result;
  }
  expect("[");
  std::vector<ExprRef> keys;
  bool slice = false;
  ExprRef bounds = make(Op::slice, line);
  while (!sees("]")) {
    if (!keys.empty()) expect(",");
    ExprRef first = sees(":") ? nullptr : parse_expression();
    if (!skip(":")) {
      keys.push_back(std::move(first));
      continue;
    }
    slice = true;
    const auto bound = [&]() -> ExprRef {
      if (sees(":") || sees("]") || sees(",")) return nullptr;
      return parse_expression();
    };
    bounds->parts.push_back(nullptr);
    bounds->parts.push_back(std::move(first));
    bounds->parts.push_back(bound());
    bounds->parts.push_back(skip(":") ? bound() : nullptr);
    keys.push_back(nullptr);
  }
  expect("]");
  require(!slice || keys.size() == 1, "found several keys, expected one slice");
  require(!keys.empty(), "found [], expected a key");
  if (slice) {
    bounds->parts[0] = std::move(expr);
    return done(std::move(bounds));
  }
  ExprRef key = std::move(keys.front());
  if (keys.size() > 1) {
    keys.front() = std::move(key);
    key = make(Op::tuple, line);
    key->parts = std::move(keys);
    key = done(std::move(key));
  }
  return make(Op::item, line, std::move(expr), std::move(key));
}

inline void Parser::parse_arguments(Expr& call) {
  expect("(");
  for (bool first = true; !sees(")"); first = false) {
    if (!first) {
      expect(",");
      if (sees(")")) break;
    }
    constexpr std::string_view wrong = "found arguments in an order that calls do not have";
    if (sees("*")) {
      require(!call.spread && !call.spread_named, wrong);
      take();
      call.spread = parse_expression();
    } else if (sees("**")) {
      require(!call.spread_named, wrong);
      take();
      call.spread_named = parse_expression();
    } else if (sees(Type::name) && ahead().type == Type::sign && ahead().text == "=") {
      require(!call.spread_named, wrong);
      std::string name = take().text;
      take();
      for (const auto& [other, value] : call.named)
        require(other != name, "found argument ", in_quotes(name, 60), " twice");
      call.named.emplace_back(std::move(name), parse_expression());
    } else {
      require(!call.spread && !call.spread_named && call.named.empty(), wrong);
      call.parts.push_back(parse_expression());
    }
  }
  expect(")");
}

inline ExprRef Parser::parse_filter(ExprRef expr) {
  const int line = now().line;
  ExprRef filter = make(Op::filter, line, std::move(expr));
  filter->name = expect_name();
  while (skip(".")) filter->name += '.' + expect_name();
  if (sees("(")) parse_arguments(*filter);
  filter->function = find_filter(filter->name);
  return done(std::move(filter));
}
inline ExprRef Parser::parse_filter_chain(ExprRef expr) {
  while (skip("|")) expr = parse_filter(std::move(expr));
  return expr;
}

inline ExprRef Parser::parse_test(ExprRef expr) {
  const int line = now().line;
  const bool negated = skip_word("not");
  ExprRef test = make(Op::test, line, std::move(expr));
  test->name = expect_name();
  while (skip(".")) test->name += '.' + expect_name();
  test->function = find_test(test->name);
  const bool value =
      sees(Type::name) || sees(Type::text) || sees(Type::integer) || sees(Type::real) || sees("[") || sees("{");
  if (sees("(")) {
    parse_arguments(*test);
  } else if (value && !sees_word("else") && !sees_word("or") && !sees_word("and")) {
    require(!sees_word("is"), "found a test after a test, expected one");
    test->parts.push_back(parse_postfix(parse_primary(false)));
  }
  test = done(std::move(test));
  return negated ? make(Op::negation, line, std::move(test)) : std::move(test);
}

}  // namespace atom::io::jinja
