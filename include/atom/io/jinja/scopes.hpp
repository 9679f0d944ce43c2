// SPDX-License-Identifier: Apache-2.0
// Which variable a name means, where: what Jinja's compiler does, with its rules for branches, loops and macros. A name
// that a scope assigns anywhere is the scope's own from its start on; until then it is what it is outside, or
// undefined.
#pragma once

#include "statements.hpp"

#include <map>
#include <set>

namespace atom::io::jinja {

class Scope {
 public:
  Scope(Scope* parent, FunctionInfo& function) : parent_(parent), function_(&function) {}

  const Slot* find(const std::string& name) const {
    const auto found = refs_.find(name);
    if (found != refs_.end()) return &found->second;
    return parent_ ? parent_->find(name) : nullptr;
  }
  void read(const std::string& name) {
    if (find(name) == nullptr) define(name, {.from = Load::From::variable, .name = name});
  }
  void write(const std::string& name) {
    stores_.insert(name);
    if (refs_.contains(name)) return;
    if (const Slot* outer = parent_ ? parent_->find(name) : nullptr)
      define(name, {.from = Load::From::outer, .outer = *outer});
    else
      define(name, {.from = Load::From::nothing});
  }
  Slot declare(const std::string& name) {
    stores_.insert(name);
    return define(name, {.from = Load::From::parameter});
  }

  // What one branch of an `if` adds is in a copy of its own, until merge().
  Scope branch() const { return *this; }
  void merge(const std::vector<Scope>& branches) {
    std::set<std::string> fresh;
    for (const Scope& one : branches)
      std::ranges::set_difference(one.stores_, stores_, std::inserter(fresh, fresh.end()));
    for (const Scope& one : branches) {
      for (const auto& [name, slot] : one.refs_) refs_.insert_or_assign(name, slot);
      for (const auto& [index, load] : one.loads_) loads_.insert_or_assign(index, load);
      stores_.insert(one.stores_.begin(), one.stores_.end());
    }
    for (const std::string& name : fresh) {
      Load& load = loads_[refs_.at(name).index];
      if (const Slot* outer = parent_ ? parent_->find(name) : nullptr)
        load = {.index = refs_.at(name).index, .from = Load::From::outer, .outer = *outer};
      else
        load = {.index = refs_.at(name).index, .from = Load::From::variable, .name = name};
    }
  }
  Loads loads() const {
    Loads result;
    for (const auto& [index, load] : loads_) result.push_back(load);
    return result;
  }

 private:
  Slot define(const std::string& name, Load load) {
    auto [at, added] = slots_->try_emplace(name);
    if (added) at->second = {function_->depth, function_->slots++};
    load.index = at->second.index;
    refs_.insert_or_assign(name, at->second);
    loads_.insert_or_assign(load.index, std::move(load));
    return at->second;
  }

  Scope* parent_;
  FunctionInfo* function_;
  std::map<std::string, Slot, std::less<>> refs_;
  std::map<std::uint32_t, Load> loads_;
  std::set<std::string> stores_;
  // One slot a name, whichever branch mentions it first.
  std::shared_ptr<std::map<std::string, Slot>> slots_ = std::make_shared<std::map<std::string, Slot>>();
};

// Calls `visit` for each expression that another is made of.
template <class ExprType, class Visit> void each_part(ExprType& expr, Visit&& visit) {
  for (auto& part : expr.parts)
    if (part) visit(*part);
  for (auto& [name, part] : expr.named) visit(*part);
  if (expr.spread) visit(*expr.spread);
  if (expr.spread_named) visit(*expr.spread_named);
}

// Whether a block reads `name` before it assigns it.
class Mentions {
 public:
  explicit Mentions(std::string name) : name_(std::move(name)) {}
  bool in(const Block& block) {
    for (const Stmt& stmt : block)
      if (in(stmt)) return true;
    return false;
  }

 private:
  bool in(const Expr& expr, bool store = false) {
    if (expr.op == Expr::Op::name && expr.name == name_) {
      if (store) assigned_ = true;
      return !store && !assigned_;
    }
    bool found = false;
    each_part(expr, [&](const Expr& part) { found = found || in(part, store); });
    return found;
  }
  bool in(const ExprRef& expr, bool store = false) { return expr && in(*expr, store); }
  bool in(const Stmt& stmt) {
    for (const auto& [name, value] : stmt.parameters) {
      if (name == name_) assigned_ = true;
      if (in(value)) return true;
    }
    for (const auto& [target, value] : stmt.bindings)
      if (in(target, true) || in(value)) return true;
    for (const auto& [test, body] : stmt.branches)
      if (in(test) || in(body)) return true;
    if (stmt.op == Stmt::Op::loop)
      return in(stmt.target, true) || in(stmt.value) || in(stmt.body) || in(stmt.otherwise) || in(stmt.test);
    return in(stmt.target, true) || in(stmt.value) || in(stmt.body) || in(stmt.otherwise);
  }

  std::string name_;
  bool assigned_ = false;
};

}  // namespace atom::io::jinja
