// SPDX-License-Identifier: Apache-2.0
// One rendering of a template: what expressions and statements do.
#pragma once

#include "builtins.hpp"
#include "functions.hpp"
#include "resolver.hpp"

namespace atom::io::jinja {

// The variables of a call of a function.
struct Activation : Object {
  Activation(const FunctionInfo& function, Activation* outside)
      : Object(Kind::function), depth(function.depth), outer(outside), slots(function.slots) {}
  std::uint32_t depth;
  Activation* outer;
  std::vector<Value> slots;
};
struct Macro : Object {
  Macro(const Stmt& definition, Activation* outside) : Object(Kind::macro), stmt(definition), surroundings(outside) {}
  const Stmt& stmt;
  Activation* surroundings;
};

class Interpreter {
 public:
  using Variables = std::vector<std::pair<std::string, Value>>;

  Interpreter(Context& context, const Program& program, Variables variables)
      : context_(context), program_(program), variables_(std::move(variables)) {
    for (const std::string_view name :
         {"range", "raise_exception", "strftime_now", "namespace", "dict", "joiner", "cycler"})
      variables_.emplace_back(name, find_function(context_, name));
  }

  std::string render() {
    std::string text;
    out_ = &text;
    here_ = context_.keep<Activation>(program_.function, nullptr);
    enter(program_.loads);
    run(program_.body);
    return text;
  }

 private:
  using Op = Expr::Op;
  enum class Flow : std::uint8_t { on, skip, stop };
  static constexpr Undefined missing{Undefined::Why::name, nullptr, ""};

  // Other surroundings, or another place for output, for as long as this lives.
  struct Swap {
    Swap(Interpreter& owner, Activation* here, std::string* out)
        : interpreter(owner), old_here(std::exchange(owner.here_, here)), old_out(std::exchange(owner.out_, out)) {}
    Swap(const Swap&) = delete;
    Swap& operator=(const Swap&) = delete;
    ~Swap() {
      interpreter.here_ = old_here;
      interpreter.out_ = old_out;
    }
    Interpreter& interpreter;
    Activation* old_here;
    std::string* old_out;
  };
  // One more call inside another.
  struct Call {
    explicit Call(Interpreter& owner) : interpreter(owner) {
      const int most = owner.context_.limits().depth;
      owner.context_.require(owner.calls_ < most, "calls nested too deep: expected at most ", most,
                             " inside each other");
      ++owner.calls_;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { --interpreter.calls_; }
    Interpreter& interpreter;
  };

  Value& at(Slot slot) const {
    Activation* activation = here_;
    while (activation->depth > slot.function) activation = activation->outer;
    return activation->slots[slot.index];
  }
  Value variable(const std::string& name) const {
    for (const auto& [other, value] : variables_)
      if (other == name) return value;
    return missing;
  }
  void enter(const Loads& loads) {
    context_.step(loads.size());
    for (const Load& load : loads) {
      Value& slot = here_->slots[load.index];
      if (load.from == Load::From::variable) slot = variable(load.name);
      if (load.from == Load::From::nothing) slot = missing;
      if (load.from == Load::From::outer) slot = at(load.outer);
    }
  }
  void leave(const Loads& loads) {
    for (const Load& load : loads) here_->slots[load.index] = missing;
  }
  Activation* activate(const FunctionInfo& function, Activation* outside) {
    context_.step(1 + function.slots / 4);
    context_.spend(function.slots * sizeof(Value));
    return context_.keep<Activation>(function, outside);
  }
  void emit(std::string_view text) {
    context_.spend(text.size());
    context_.require(text.size() <= context_.limits().output && out_->size() <= context_.limits().output - text.size(),
                     "output too long: expected at most ", context_.limits().output, " bytes");
    *out_ += text;
  }

  // expressions.hpp
  Value eval(const Expr& expr);
  Value eval_some(const ExprRef& expr) { return expr ? eval(*expr) : Value(None{}); }
  Value eval_compare(const Expr& expr);
  Value eval_call(const Expr& expr, const Value* caller);
  Value eval_filter(const Expr& expr);
  Arguments arguments_of(const Expr& expr, const Value* caller = nullptr);
  Value call_value(const Value& value, Arguments arguments);

  // execution.hpp
  Flow run(const Block& block);
  Flow run(const Stmt& stmt);
  Flow run_loop(const Stmt& stmt, Value values, Int depth, Activation* surroundings);
  Flow run_captured(const Stmt& stmt);
  Value call_macro(const Macro& macro, Arguments arguments);
  Value call_loop(const Stmt& stmt, Activation* surroundings, const Value& values, Int depth);
  void assign(const Expr& target, Value value);
  Walk walk_over(const Stmt& stmt, Value values, Activation* surroundings);

  Context& context_;
  const Program& program_;
  Variables variables_;
  Activation* here_ = nullptr;
  std::string* out_ = nullptr;
  Value captured_;  // what a filter block has rendered, for its filter
  int calls_ = 0;
};

}  // namespace atom::io::jinja
