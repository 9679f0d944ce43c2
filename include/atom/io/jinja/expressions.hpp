// SPDX-License-Identifier: Apache-2.0
// What expressions are worth.
#pragma once

#include "interpreter.hpp"

namespace atom::io::jinja {

inline Value Interpreter::eval(const Expr& expr) {
  const Deeper deeper(context_);
  context_.step();
  context_.line = expr.line;
  switch (expr.op) {
    case Op::constant: return expr.value;
    case Op::captured: return captured_;
    case Op::name: {
      const Value& value = at(expr.slot);
      const bool is_missing =
          value.is_undefined() && value.undefined().why == Undefined::Why::name && value.undefined().name == nullptr;
      return is_missing ? Value(undefined_name(expr.name)) : value;
    }
    case Op::list:
    case Op::tuple: {
      std::vector<Value> items;
      for (const ExprRef& part : expr.parts) items.push_back(eval(*part));
      return expr.op == Op::list ? make_list(context_, std::move(items)) : make_tuple(context_, std::move(items));
    }
    case Op::dict: {
      std::vector<std::pair<Value, Value>> members;
      for (std::size_t i = 0; i < expr.parts.size(); i += 2) {
        Value key = eval(*expr.parts[i]);
        set_member(context_, members, std::move(key), eval(*expr.parts[i + 1]));
      }
      return make_dict(context_, std::move(members));
    }
    case Op::math: {
      const Value left = eval(*expr.parts[0]), right = eval(*expr.parts[1]);
      context_.line = expr.line;
      return apply(context_, expr.math, left, right);
    }
    case Op::all:
    case Op::any: {
      Value left = eval(*expr.parts[0]);
      return truth(left) == (expr.op == Op::any) ? left : eval(*expr.parts[1]);
    }
    case Op::negation: return !truth(eval(*expr.parts[0]));
    case Op::minus: return negative(context_, eval(*expr.parts[0]));
    case Op::plus: {
      const Value value = eval(*expr.parts[0]);
      if (!value.is_number()) context_.fail("+: found ", describe(value), ", expected a number");
      return value.is_integral() ? Value(value.integer()) : value;
    }
    case Op::concat: {
      std::string text;
      for (const ExprRef& part : expr.parts) append_value(context_, text, eval(*part));
      return make_text(context_, std::move(text));
    }
    case Op::compare: return eval_compare(expr);
    case Op::attribute: {
      const Value value = eval(*expr.parts[0]);
      context_.line = expr.line;
      return get_attribute(context_, value, expr.name, &expr.name);
    }
    case Op::item: {
      const Value value = eval(*expr.parts[0]), key = eval(*expr.parts[1]);
      context_.line = expr.line;
      const bool lasts = expr.parts[1]->op == Op::constant && key.is_text();
      return get_item(context_, value, key, lasts ? &expr.parts[1]->value.text() : nullptr);
    }
    case Op::slice: {
      const Value value = eval(*expr.parts[0]), start = eval_some(expr.parts[1]), stop = eval_some(expr.parts[2]);
      return slice(context_, value, start, stop, eval_some(expr.parts[3]));
    }
    case Op::conditional:
      if (truth(eval(*expr.parts[0]))) return eval(*expr.parts[1]);
      return expr.parts[2] ? eval(*expr.parts[2]) : Value(undefined_hint("an if without an else"));
    case Op::call: return eval_call(expr, nullptr);
    case Op::filter:
    case Op::test: return eval_filter(expr);
    case Op::member: break;
  }
  return {};
}

inline Value Interpreter::eval_compare(const Expr& expr) {
  Value left = eval(*expr.parts[0]);
  for (std::size_t i = 0; i < expr.signs.size(); ++i) {
    Value right = eval(*expr.parts[i + 1]);
    context_.line = expr.line;
    const std::string& sign = expr.signs[i];
    const bool holds = sign == "in"       ? contains(context_, right, left)
                       : sign == "not in" ? !contains(context_, right, left)
                                          : compare(context_, sign, left, right);
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

inline Arguments Interpreter::arguments_of(const Expr& expr, const Value* caller) {
  Arguments arguments;
  for (std::size_t i = 1; i < expr.parts.size(); ++i) arguments.values.push_back(eval(*expr.parts[i]));
  for (const auto& [name, value] : expr.named) arguments.named.emplace_back(name, eval(*value));
  if (caller) arguments.named.emplace_back("caller", *caller);
  if (expr.spread)
    for (Value& value : to_vector(context_, eval(*expr.spread))) arguments.values.push_back(std::move(value));
  if (expr.spread_named) {
    const Value named = eval(*expr.spread_named);
    if (!named.is(Kind::dict)) context_.fail("**: found ", describe(named), ", expected a dict");
    for (const auto& [key, value] : named.dict().members) {
      context_.step();
      context_.require(key.is_text(), "**: found a key that is no string");
      for (const auto& [other, given] : arguments.named)
        context_.require(other != key.text(), "**: found argument ", in_quotes(other, 60), " twice");
      arguments.named.emplace_back(key.text(), value);
    }
  }
  context_.step(arguments.values.size() + arguments.named.size());
  return arguments;
}

inline Value Interpreter::eval_filter(const Expr& expr) {
  const Value value = eval(*expr.parts[0]);
  context_.line = expr.line;
  if (expr.function == nullptr)
    context_.fail("there is no ", expr.op == Op::filter ? "filter " : "test ", in_quotes(expr.name, 60));
  const Arguments arguments = arguments_of(expr);
  context_.line = expr.line;
  return expr.function(context_, value, arguments);
}

inline Value Interpreter::eval_call(const Expr& expr, const Value* caller) {
  const Expr& callee = *expr.parts[0];
  Value value;
  if (callee.op == Op::attribute) {
    const Value self = eval(*callee.parts[0]);
    context_.line = expr.line;
    if (const Method* method = find_method(self, callee.name)) {
      const Arguments arguments = arguments_of(expr, caller);
      context_.line = expr.line;
      return method->call(context_, self, arguments);
    }
    value = get_attribute(context_, self, callee.name, &callee.name);
  } else {
    value = eval(callee);
  }
  Arguments arguments = arguments_of(expr, caller);
  context_.line = expr.line;
  return call_value(value, std::move(arguments));
}

inline Value Interpreter::call_value(const Value& value, Arguments arguments) {
  using Type = Object::Kind;
  if (value.is_object(Type::macro)) return call_macro(value.as<Macro>(), std::move(arguments));
  if (value.is_object(Type::function) || value.is_object(Type::method)) {
    const auto& function = value.as<Function>();
    return function.call(context_, function.self, arguments);
  }
  if (value.is_object(Type::joiner)) {
    const Bound bound(context_, "joiner", arguments, {});
    auto& joiner = value.as<Joiner>();
    return std::exchange(joiner.used, true) ? joiner.separator : make_text(context_, "");
  }
  if (value.is_object(Type::loop)) {
    const auto& loop = value.as<Loop>();
    const Bound bound(context_, "loop", arguments, {"iterable"}, 1);
    context_.require(loop.body != nullptr, "loop: found a call, expected a loop marked recursive");
    return call_loop(*loop.body, loop.surroundings, bound[0], loop.depth0 + 1);
  }
  context_.fail("call: found ", describe(value), ", expected a function");
}

}  // namespace atom::io::jinja
