// SPDX-License-Identifier: Apache-2.0
// What statements do: output, assignments, loops, calls of macros.
#pragma once

#include "expressions.hpp"

namespace atom::io::jinja {

inline Interpreter::Flow Interpreter::run(const Block& block) {
  for (const Stmt& stmt : block)
    if (const Flow flow = run(stmt); flow != Flow::on) return flow;
  return Flow::on;
}

inline Interpreter::Flow Interpreter::run(const Stmt& stmt) {
  using Type = Stmt::Op;
  const Deeper deeper(context_);
  context_.step();
  context_.line = stmt.line;
  switch (stmt.op) {
    case Type::data: emit(stmt.text); break;
    case Type::print: {
      const Value value = eval(*stmt.value);
      if (value.is_text()) {
        emit(value.text());
      } else {
        std::string text;
        append_value(context_, text, value);
        emit(text);
      }
      break;
    }
    case Type::branch:
      for (const auto& [test, body] : stmt.branches)
        if (truth(eval(*test))) return run(body);
      return run(stmt.otherwise);
    case Type::loop:
      if (stmt.recursive) {
        emit(call_loop(stmt, here_, eval(*stmt.value), 0).text());
        break;
      }
      return run_loop(stmt, eval(*stmt.value), 0, here_);
    case Type::assign: assign(*stmt.target, eval(*stmt.value)); break;
    case Type::assign_block:
    case Type::filter_block: return run_captured(stmt);
    case Type::with: {
      std::vector<Value> values;
      for (const auto& [target, value] : stmt.bindings) values.push_back(eval(*value));
      enter(stmt.loads);
      for (std::size_t i = 0; i < values.size(); ++i) assign(*stmt.bindings[i].first, std::move(values[i]));
      const Flow flow = run(stmt.body);
      leave(stmt.loads);
      return flow;
    }
    case Type::macro: at(stmt.slot) = context_.keep<Macro>(stmt, here_); break;
    case Type::call_block: {
      const Value caller = context_.keep<Macro>(stmt, here_);
      const Value result = stmt.value ? eval_call(*stmt.value, &caller) : call_macro(caller.as<Macro>(), {});
      if (!result.is_text()) context_.fail("call: found ", describe(result), " as result, expected a string");
      emit(result.text());
      break;
    }
    case Type::skip: return Flow::skip;
    case Type::stop: return Flow::stop;
  }
  return Flow::on;
}

inline Interpreter::Flow Interpreter::run_captured(const Stmt& stmt) {
  std::string text;
  Flow flow = Flow::on;
  enter(stmt.loads);
  {
    const Swap swap(*this, here_, &text);
    flow = run(stmt.body);
  }
  if (flow == Flow::on) {
    Value result = make_text(context_, std::move(text));
    if (stmt.value) {
      captured_ = std::move(result);
      result = eval(*stmt.value);
    }
    if (stmt.op == Stmt::Op::assign_block) {
      assign(*stmt.target, std::move(result));
    } else {
      if (!result.is_text()) context_.fail("filter: found ", describe(result), " as result, expected a string");
      emit(result.text());
    }
  }
  leave(stmt.loads);
  return flow;
}

inline void Interpreter::assign(const Expr& target, Value value) {
  context_.step();
  if (target.op == Op::name) {
    at(target.slot) = std::move(value);
    return;
  }
  if (target.op == Op::member) {
    const Value& owner = at(target.slot);
    if (!owner.is_object(Object::Kind::name_space))
      context_.fail("set ", target.name, '.', target.value.text(), ": found ",
                    owner.is_undefined() ? "an undefined value" : kind_of(owner), ", expected a namespace");
    auto& members = owner.as<Namespace>().members;
    const std::string& name = target.value.text();
    context_.step(members.size() / 8);
    const auto found = std::ranges::find(members, name, &std::pair<std::string, Value>::first);
    if (found != members.end())
      found->second = std::move(value);
    else
      members.emplace_back(name, std::move(value));
    return;
  }
  std::vector<Value> values = to_vector(context_, value);
  context_.require(values.size() == target.parts.size(), "found ", values.size(), " values, expected ",
                   target.parts.size(), " to assign to as many names");
  for (std::size_t i = 0; i < values.size(); ++i) assign(*target.parts[i], std::move(values[i]));
}

// The elements of a loop: all, or those that its test lets through.
inline Walk Interpreter::walk_over(const Stmt& stmt, Value values, Activation* surroundings) {
  if (!stmt.test) return Walk(context_, std::move(values));
  {
    const Swap swap(*this, surroundings, out_);
    enter(stmt.test_loads);
  }
  return Walk(context_, make_iterator(context_, values,
                                      [this, &stmt, surroundings, walk = Walk(context_, values)](Context& context,
                                                                                                 Value& value) mutable {
                                        while (walk.next(context, value)) {
                                          const Swap swap(*this, surroundings, out_);
                                          assign(*stmt.test_target, value);
                                          if (truth(eval(*stmt.test))) return true;
                                        }
                                        return false;
                                      }));
}

inline Interpreter::Flow Interpreter::run_loop(const Stmt& stmt, Value values, Int depth, Activation* surroundings) {
  Loop plain(walk_over(stmt, std::move(values), surroundings), depth);
  Loop* loop = &plain;
  if (stmt.loop) {
    loop = context_.keep<Loop>(std::move(plain.walk), depth);
    loop->body = stmt.recursive ? &stmt : nullptr;
    loop->surroundings = surroundings;
  }
  bool otherwise = true;
  while (loop->next(context_)) {
    if (stmt.loop) at(*stmt.loop) = loop;
    enter(stmt.loads);
    assign(*stmt.target, loop->current);
    const Flow flow = run(stmt.body);
    if (flow == Flow::stop) break;
    if (flow == Flow::on) otherwise = false;  // as Jinja has it: not where each round ended in `continue`
  }
  leave(stmt.loads);
  if (!otherwise || stmt.otherwise.empty()) return Flow::on;
  enter(stmt.else_loads);
  const Flow flow = run(stmt.otherwise);
  leave(stmt.else_loads);
  return flow;
}

inline Value Interpreter::call_loop(const Stmt& stmt, Activation* surroundings, const Value& values, Int depth) {
  const Call call(*this);
  const Deeper deeper(context_);
  std::string text;
  const Swap swap(*this, activate(stmt.function, surroundings), &text);
  run_loop(stmt, values, depth, surroundings);
  return make_text(context_, std::move(text));
}

inline Value Interpreter::call_macro(const Macro& macro, Arguments arguments) {
  const Call call(*this);
  const Deeper deeper(context_);
  const Stmt& stmt = macro.stmt;
  const std::string_view name = stmt.text.empty() ? std::string_view("caller") : std::string_view(stmt.text);
  const std::size_t count = stmt.parameters.size();
  Activation* inside = activate(stmt.function, macro.surroundings);
  const auto slot = [&](Slot where) -> Value& { return inside->slots[where.index]; };
  const auto take_named = [&](std::string_view wanted) -> std::optional<Value> {
    const auto found = std::ranges::find(arguments.named, wanted, &std::pair<std::string, Value>::first);
    if (found == arguments.named.end()) return std::nullopt;
    Value value = std::move(found->second);
    arguments.named.erase(found);
    return value;
  };
  std::vector<bool> given(count, true);
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<Value> value;
    if (i < arguments.values.size())
      value = arguments.values[i];
    else
      value = take_named(stmt.parameters[i].first);
    given[i] = value.has_value();
    slot(stmt.parameter_slots[i]) = value ? std::move(*value) : Value(missing);
  }
  if (stmt.caller)
    slot(*stmt.caller) = take_named("caller").value_or(undefined_hint("the macro was not called by a call block"));
  if (stmt.keywords) {
    std::vector<std::pair<Value, Value>> rest;
    for (auto& [key, value] : arguments.named) rest.emplace_back(make_text(context_, key), std::move(value));
    slot(*stmt.keywords) = make_dict(context_, std::move(rest));
  } else {
    context_.require(arguments.named.empty(), "macro ", name, ": found unknown argument ",
                     arguments.named.empty() ? "" : in_quotes(arguments.named.front().first, 60));
  }
  if (stmt.extra) {
    const auto first = arguments.values.begin() + static_cast<std::ptrdiff_t>(std::min(count, arguments.values.size()));
    slot(*stmt.extra) = make_tuple(context_, std::vector<Value>(first, arguments.values.end()));
  } else {
    context_.require(arguments.values.size() <= count, "macro ", name, ": found ", arguments.values.size(),
                     " arguments, expected at most ", count);
  }
  std::string text;
  const Swap swap(*this, inside, &text);
  enter(stmt.loads);
  for (std::size_t i = 0; i < count; ++i)
    if (!given[i])
      slot(stmt.parameter_slots[i]) = stmt.parameters[i].second
                                          ? eval(*stmt.parameters[i].second)
                                          : Value(undefined_hint("an argument that was not given"));
  run(stmt.body);
  return make_text(context_, std::move(text));
}

}  // namespace atom::io::jinja
