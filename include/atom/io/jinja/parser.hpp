// SPDX-License-Identifier: Apache-2.0
// Tokens as a tree: the expressions of Jinja. Precedence and oddities are those of its own parser.
#pragma once

#include "ast.hpp"
#include "lexer.hpp"

namespace atom::io::jinja {

class Parser {
 public:
  Parser(Context& context, std::vector<Token> tokens) : context_(context), tokens_(std::move(tokens)) {}

  Block parse();  // statements.hpp

 private:
  using Op = Expr::Op;
  using Type = Token::Type;

  // Bounds how deep the parser is inside itself.
  struct Level {
    explicit Level(Parser& owner) : parser(owner) {
      ++parser.level_;
      parser.require(parser.level_ <= most_nested, "nested too deep: expected at most ", most_nested, " levels");
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --parser.level_; }
    Parser& parser;
  };

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() {
    Token token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool sees(Type type) const { return now().type == type; }
  bool sees(std::string_view sign) const { return now().type == Type::sign && now().text == sign; }
  bool sees_word(std::string_view word) const { return now().type == Type::name && now().text == word; }
  bool skip(std::string_view sign) { return sees(sign) && (take(), true); }
  bool skip_word(std::string_view word) { return sees_word(word) && (take(), true); }
  template <class... Parts> void require(bool condition, const Parts&... parts) {
    if (condition) return;
    context_.line = now().line;
    context_.fail(parts...);
  }
  std::string shown() const {
    constexpr std::string_view types[] = {"text",     "'{%'",       "'%}'",    "'{{'", "'}}'",   "",
                                          "a string", "an integer", "a float", "",     "the end"};
    const Token& token = now();
    if (token.type == Type::name || token.type == Type::sign) return in_quotes(token.text, 60);
    return std::string(types[static_cast<std::size_t>(token.type)]);
  }
  void expect(std::string_view sign) { require(skip(sign), "found ", shown(), ", expected '", sign, '\''); }
  Token expect(Type type, std::string_view what) {
    require(sees(type), "found ", shown(), ", expected ", what);
    return take();
  }
  std::string expect_name() { return expect(Type::name, "a name").text; }

  static ExprRef make(Op op, int line) {
    auto expr = std::make_unique<Expr>();
    expr->op = op;
    expr->line = line;
    return expr;
  }
  // Takes the depth of the parts, and bounds it.
  ExprRef done(ExprRef expr) {
    int depth = 0;
    const auto look = [&](const ExprRef& part) { depth = part ? std::max(depth, part->depth) : depth; };
    for (const ExprRef& part : expr->parts) look(part);
    for (const auto& [name, part] : expr->named) look(part);
    look(expr->spread);
    look(expr->spread_named);
    expr->depth = depth + 1;
    require(expr->depth <= most_nested, "the expression is too deep: expected at most ", most_nested, " levels");
    return expr;
  }
  template <class... Parts> ExprRef make(Op op, int line, Parts... parts) {
    ExprRef expr = make(op, line);
    (expr->parts.push_back(std::move(parts)), ...);
    return done(std::move(expr));
  }

  ExprRef parse_expression(bool with_condition = true) {
    const Level level(*this);
    if (!with_condition) return parse_any();
    int line = now().line;
    ExprRef expr = parse_any();
    while (skip_word("if")) {
      ExprRef test = parse_any();
      ExprRef otherwise = skip_word("else") ? parse_expression() : nullptr;
      expr = make(Op::conditional, line, std::move(test), std::move(expr), std::move(otherwise));
      line = now().line;
    }
    return expr;
  }
  ExprRef parse_any() {
    ExprRef left = parse_all();
    while (sees_word("or")) {
      const int line = take().line;
      left = make(Op::any, line, std::move(left), parse_all());
    }
    return left;
  }
  ExprRef parse_all() {
    ExprRef left = parse_not();
    while (sees_word("and")) {
      const int line = take().line;
      left = make(Op::all, line, std::move(left), parse_not());
    }
    return left;
  }
  ExprRef parse_not() {
    if (!sees_word("not")) return parse_compare();
    const Level level(*this);
    const int line = take().line;
    return make(Op::negation, line, parse_not());
  }
  ExprRef parse_compare() {
    ExprRef left = parse_sum();
    ExprRef expr;
    for (;;) {
      std::string sign;
      for (const std::string_view known : {"==", "!=", "<", "<=", ">", ">="})
        if (sees(known)) sign = known;
      if (sees_word("in")) sign = "in";
      const bool negated = sees_word("not") && ahead().type == Type::name && ahead().text == "in";
      if (negated) {
        take();
        sign = "not in";
      }
      if (sign.empty()) break;
      const int line = take().line;
      if (!expr) {
        expr = make(Op::compare, line);
        expr->parts.push_back(std::move(left));
      }
      expr->parts.push_back(parse_sum());
      expr->signs.push_back(std::move(sign));
    }
    return expr ? done(std::move(expr)) : std::move(left);
  }
  ExprRef make_math(Math math, int line, ExprRef left, ExprRef right) {
    ExprRef expr = make(Op::math, line, std::move(left), std::move(right));
    expr->math = math;
    return expr;
  }
  ExprRef parse_sum() {
    ExprRef left = parse_concat();
    while (sees("+") || sees("-")) {
      const Math math = sees("+") ? Math::add : Math::subtract;
      const int line = take().line;
      left = make_math(math, line, std::move(left), parse_concat());
    }
    return left;
  }
  ExprRef parse_concat() {
    ExprRef left = parse_product();
    if (!sees("~")) return left;
    ExprRef expr = make(Op::concat, now().line);
    expr->parts.push_back(std::move(left));
    while (skip("~")) expr->parts.push_back(parse_product());
    return done(std::move(expr));
  }
  ExprRef parse_product() {
    ExprRef left = parse_power();
    while (sees("*") || sees("/") || sees("//") || sees("%")) {
      const Math math = sees("*")    ? Math::multiply
                        : sees("/")  ? Math::divide
                        : sees("//") ? Math::floor_divide
                                     : Math::modulo;
      const int line = take().line;
      left = make_math(math, line, std::move(left), parse_power());
    }
    return left;
  }
  ExprRef parse_power() {
    ExprRef left = parse_unary();
    while (sees("**")) {
      const int line = take().line;
      left = make_math(Math::power, line, std::move(left), parse_unary());
    }
    return left;
  }
  ExprRef parse_unary(bool with_filter = true) {
    ExprRef expr;
    if (sees("-") || sees("+")) {
      const Level level(*this);
      const Op op = sees("-") ? Op::minus : Op::plus;
      const int line = take().line;
      expr = make(op, line, parse_unary(false));
    } else {
      expr = parse_primary(false);
    }
    expr = parse_postfix(std::move(expr));
    return with_filter ? parse_filters_and_tests(std::move(expr)) : std::move(expr);
  }

  // The rest in primary.hpp.
  ExprRef parse_primary(bool member_targets);
  ExprRef parse_tuple(bool simple, bool with_condition, std::string_view end_word, bool parentheses,
                      bool member_targets);
  ExprRef parse_list();
  ExprRef parse_dict();
  ExprRef parse_postfix(ExprRef expr);
  ExprRef parse_filters_and_tests(ExprRef expr);
  ExprRef parse_subscript(ExprRef expr);
  void parse_arguments(Expr& call);
  ExprRef parse_filter(ExprRef expr);
  ExprRef parse_filter_chain(ExprRef expr);
  ExprRef parse_test(ExprRef expr);

  // Statements, in statements.hpp.
  Block parse_block(std::initializer_list<std::string_view> ends);
  Block parse_until(std::initializer_list<std::string_view> ends, std::string_view of, int line);
  Stmt parse_statement();
  Stmt parse_for(Stmt stmt);
  Stmt parse_if(Stmt stmt);
  Stmt parse_set(Stmt stmt);
  Stmt parse_with(Stmt stmt);
  void parse_signature(Stmt& stmt);
  ExprRef parse_target(bool members, std::string_view end_word);
  void require_target(const Expr& target);

  Context& context_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int level_ = 0;
  int loops_ = 0;  // around this statement, in the same function
};

}  // namespace atom::io::jinja
