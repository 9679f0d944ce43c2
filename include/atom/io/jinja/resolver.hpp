// SPDX-License-Identifier: Apache-2.0
// Gives each name of a template its slot, and each statement the scopes that it opens.
#pragma once

#include "scopes.hpp"

namespace atom::io::jinja {

inline ExprRef copy_of_target(const Expr& target) {
  auto copy = std::make_unique<Expr>();
  copy->op = target.op;
  copy->line = target.line;
  copy->name = target.name;
  for (const ExprRef& part : target.parts) copy->parts.push_back(copy_of_target(*part));
  return copy;
}

class Resolver {
 public:
  explicit Resolver(Context& context) : context_(context) {}

  void resolve(Program& program) {
    Scope scope(nullptr, program.function);
    look(program.body, scope);
    functions_.push_back(&program.function);
    resolve(program.body, scope, false);
    program.loads = scope.loads();
  }

 private:
  using Op = Stmt::Op;

  // What a scope has, before anything inside it is resolved.
  void look(const Block& block, Scope& scope) {
    for (const Stmt& stmt : block) look(stmt, scope);
  }
  void look(const Stmt& stmt, Scope& scope) {
    switch (stmt.op) {
      case Op::branch: {
        // The tests of later branches belong to what is skipped when the first is taken.
        read(*stmt.branches.front().first, scope);
        std::vector<Scope> branches(3, scope.branch());
        look(stmt.branches.front().second, branches[0]);
        for (std::size_t i = 1; i < stmt.branches.size(); ++i) {
          read(*stmt.branches[i].first, branches[1]);
          std::vector<Scope> inner(3, branches[1].branch());
          look(stmt.branches[i].second, inner[0]);
          branches[1].merge(inner);
        }
        look(stmt.otherwise, branches[2]);
        scope.merge(branches);
        break;
      }
      case Op::macro: scope.write(stmt.text); break;
      case Op::assign:
        read(*stmt.value, scope);
        write(*stmt.target, scope);
        break;
      case Op::assign_block: write(*stmt.target, scope); break;
      case Op::with:
        for (const auto& [target, value] : stmt.bindings) read(*value, scope);
        break;
      default:
        if (stmt.value) read(*stmt.value, scope);
    }
  }
  void read(const Expr& expr, Scope& scope) {
    if (expr.op == Expr::Op::name) scope.read(expr.name);
    each_part(expr, [&](const Expr& part) { read(part, scope); });
  }
  void write(const Expr& target, Scope& scope) {
    if (target.op == Expr::Op::name) scope.write(target.name);
    if (target.op == Expr::Op::member) scope.read(target.name);
    for (const ExprRef& part : target.parts) write(*part, scope);
  }
  void declare(Expr& target, Scope& scope) {
    if (target.op == Expr::Op::name) scope.declare(target.name);
    for (const ExprRef& part : target.parts) declare(*part, scope);
  }

  // Gives each name its slot. `soft`: what may never run, so that a filter may be unknown.
  void resolve(Block& block, Scope& scope, bool soft) {
    for (Stmt& stmt : block) resolve(stmt, scope, soft);
  }
  void resolve(const ExprRef& expr, Scope& scope, bool soft) {
    if (expr) resolve(*expr, scope, soft);
  }
  void resolve(Expr& expr, Scope& scope, bool soft) {
    context_.line = expr.line;
    if (expr.op == Expr::Op::name || expr.op == Expr::Op::member) {
      const Slot* slot = scope.find(expr.name);
      context_.require(slot != nullptr, "cannot resolve ", in_quotes(expr.name, 60));
      expr.slot = *slot;
    }
    const bool named = expr.op == Expr::Op::filter || expr.op == Expr::Op::test;
    context_.require(!named || expr.function || soft, "there is no ", expr.op == Expr::Op::filter ? "filter " : "test ",
                     in_quotes(expr.name, 60));
    const bool inside = soft || expr.op == Expr::Op::conditional;
    each_part(expr, [&](Expr& part) { resolve(part, scope, inside); });
  }

  void resolve(Stmt& stmt, Scope& scope, bool soft) {
    context_.line = stmt.line;
    // A scope inside this function; `value` is what its filter or test reads.
    const auto inner_scope = [&](auto&& declare_first) {
      Scope inner(&scope, *functions_.back());
      declare_first(inner);
      look(stmt.body, inner);
      if (stmt.value) read(*stmt.value, inner);
      resolve(stmt.body, inner, false);
      stmt.loads = inner.loads();
      return inner;
    };
    const auto nothing = [](Scope&) {};
    switch (stmt.op) {
      case Op::branch:
        for (auto& [test, body] : stmt.branches) {
          resolve(test, scope, true);
          resolve(body, scope, true);
        }
        return resolve(stmt.otherwise, scope, true);
      case Op::loop: return resolve_loop(stmt, scope);
      case Op::macro: stmt.slot = *scope.find(stmt.text); return resolve_function(stmt, scope);
      case Op::call_block: resolve(stmt.value, scope, soft); return resolve_function(stmt, scope);
      case Op::assign_block: {
        Scope inner = inner_scope(nothing);
        resolve(stmt.value, inner, false);
        return resolve(stmt.target, scope, soft);
      }
      case Op::filter_block: {
        Scope inner = inner_scope(nothing);
        return resolve(stmt.value, inner, false);
      }
      case Op::with: {
        for (auto& [target, value] : stmt.bindings) resolve(value, scope, soft);
        Scope inner = inner_scope([&](Scope& fresh) {
          for (auto& [target, value] : stmt.bindings) declare(*target, fresh);
        });
        for (auto& [target, value] : stmt.bindings) resolve(target, inner, false);
        return;
      }
      default: resolve(stmt.value, scope, soft); return resolve(stmt.target, scope, soft);
    }
  }

  void resolve_loop(Stmt& stmt, Scope& scope) {
    resolve(stmt.value, scope, false);
    if (stmt.test) {
      Scope inner(&scope, *functions_.back());
      stmt.test_target = copy_of_target(*stmt.target);
      declare(*stmt.test_target, inner);
      read(*stmt.test, inner);
      resolve(stmt.test_target, inner, false);
      resolve(stmt.test, inner, false);
      stmt.test_loads = inner.loads();
    }
    if (stmt.recursive) enter(stmt.function);
    Scope inner(&scope, *functions_.back()), other(&scope, *functions_.back());
    if (stmt.recursive || Mentions("loop").in(stmt.body)) stmt.loop = inner.declare("loop");
    declare(*stmt.target, inner);
    look(stmt.body, inner);
    look(stmt.otherwise, other);
    resolve(stmt.target, inner, false);
    resolve(stmt.body, inner, false);
    resolve(stmt.otherwise, other, false);
    stmt.loads = inner.loads();
    stmt.else_loads = other.loads();
    if (stmt.recursive) functions_.pop_back();
  }

  void resolve_function(Stmt& stmt, Scope& scope) {
    enter(stmt.function);
    Scope inner(&scope, stmt.function);
    bool own_caller = false;
    for (const auto& [name, value] : stmt.parameters) {
      stmt.parameter_slots.push_back(inner.declare(name));
      own_caller = own_caller || name == "caller";
      context_.require(name != "caller" || value, "parameter caller: expected a default");
    }
    for (const auto& [name, value] : stmt.parameters)
      if (value) read(*value, inner);
    look(stmt.body, inner);
    const auto is_parameter = [&](std::string_view name) {
      return std::ranges::any_of(stmt.parameters, [&](const auto& parameter) { return parameter.first == name; });
    };
    const auto special = [&](const char* name) -> std::optional<Slot> {
      if (is_parameter(name) || !Mentions(name).in(stmt.body)) return std::nullopt;
      return inner.declare(name);
    };
    stmt.caller = special("caller");
    stmt.keywords = special("kwargs");
    stmt.extra = special("varargs");
    for (auto& [name, value] : stmt.parameters) resolve(value, inner, false);
    resolve(stmt.body, inner, false);
    stmt.loads = inner.loads();
    functions_.pop_back();
  }

  void enter(FunctionInfo& function) {
    functions_.back()->holds_functions = true;
    function.depth = static_cast<std::uint32_t>(functions_.size());
    functions_.push_back(&function);
  }

  Context& context_;
  std::vector<FunctionInfo*> functions_;
};

// The tree of a template. Errors: what is no template, or beyond `limits`.
inline Program make_program(std::string_view source, std::string_view name) {
  Program program;
  program.name = name;
  TemplateLimits limits;
  limits.bytes = limits.output = std::max(limits.bytes, 64 * source.size());
  limits.steps = 1000 + 64 * source.size();
  Context context(program.name, limits, std::nullopt);
  program.body = Parser(context, Lexer(context, source).tokens()).parse();
  Resolver(context).resolve(program);
  return program;
}

}  // namespace atom::io::jinja
