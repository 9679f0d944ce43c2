// SPDX-License-Identifier: Apache-2.0
// A template as a tree. It never changes once it is made, so that any number of threads may render it.
#pragma once

#include "filter.hpp"

namespace atom::io::jinja {

// Where a variable is: `index` in the variables of the function that is `function` functions deep (0: the template).
struct Slot {
  std::uint32_t function = 0, index = 0;
};

struct Expr;
using ExprRef = std::unique_ptr<Expr>;
struct Expr {
  enum class Op : std::uint8_t {
    constant,
    name,
    member,
    list,
    tuple,
    dict,
    math,
    all,
    any,
    negation,
    minus,
    plus,
    concat,
    compare,
    attribute,
    item,
    slice,
    call,
    filter,
    test,
    conditional,
    captured
  };  // member: NAME.MEMBER as a target of `set`; captured: what a filter block has rendered

  Op op = Op::constant;
  int line = 1;
  int depth = 1;
  Math math = Math::add;
  std::string name = {};                                    // of a variable, attribute, filter or test
  Value value = {};                                         // a constant
  std::vector<ExprRef> parts = {};                          // operands, elements, arguments; some may be left out
  std::vector<std::string> signs = {};                      // of comparisons
  std::vector<std::pair<std::string, ExprRef>> named = {};  // arguments
  ExprRef spread = {}, spread_named = {};                   // *arguments, **arguments
  Callable function = nullptr;                              // of a filter or test; nullptr: there is none of that name
  Slot slot = {};
};

struct Stmt;
using Block = std::vector<Stmt>;

// What a scope's variables are when it is entered.
struct Load {
  enum class From : std::uint8_t { parameter, nothing, variable, outer };
  std::uint32_t index = 0;
  From from = From::nothing;
  Slot outer = {};
  std::string name = {};
};
using Loads = std::vector<Load>;

// A template, macro, call block or recursive loop: what has variables of its own at each call.
struct FunctionInfo {
  std::uint32_t depth = 0, slots = 0;
  bool holds_functions = false;  // its variables may be needed after it has returned
};

struct Stmt {
  enum class Op : std::uint8_t {
    data,
    print,
    branch,
    loop,
    assign,
    assign_block,
    macro,
    call_block,
    filter_block,
    with,
    stop,
    skip
  };

  Op op = Op::data;
  int line = 1;
  std::string text = {};  // data, or the name of a macro
  ExprRef target = {};    // of set and for
  ExprRef value = {};     // printed, assigned, walked through, called, the filter
  ExprRef test = {};      // of for
  bool recursive = false;
  Block body = {}, otherwise = {};
  std::vector<std::pair<ExprRef, Block>> branches = {};          // of if
  std::vector<std::pair<ExprRef, ExprRef>> bindings = {};        // of with
  std::vector<std::pair<std::string, ExprRef>> parameters = {};  // of a macro; no expression: no default

  // From here on: what scopes.hpp finds.
  Loads loads = {}, else_loads = {}, test_loads = {};
  std::optional<Slot> loop = {};  // of for, where its body mentions `loop`
  Slot slot = {};                 // of a macro's name
  ExprRef test_target = {};
  FunctionInfo function = {};
  std::vector<Slot> parameter_slots = {};
  std::optional<Slot> caller = {}, keywords = {}, extra = {};  // of a macro that mentions caller, kwargs, varargs
};

struct Program {
  std::string name;
  Block body;
  Loads loads;
  FunctionInfo function;
};

}  // namespace atom::io::jinja
