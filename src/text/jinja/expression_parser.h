#pragma once

#include <utility>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace emelex::jinja {

// Reads expressions; the grammar is Jinja 3's, each function one level of precedence.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr expression();                 // with `a if b else c`
  ExpressionPtr expression_no_conditional();  // what `in` of a for loop has
  ExpressionPtr expression_or_tuple();        // `a, b` makes a tuple
  ExpressionPtr tuple_no_conditional();

  // The names among them that a macro treats specially, since the last call.
  SpecialNames take_special_names() { return std::exchange(special_names_, {}); }
  void add_special_names(SpecialNames names);

  // name | name(…) | …, applied to `input`, which may be nullptr.
  ExpressionPtr filters(ExpressionPtr input, bool leading_bar);

 private:
  ExpressionPtr logical_or();
  ExpressionPtr logical_and();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concat();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr primary();
  ExpressionPtr name_or_constant();
  ExpressionPtr number();
  ExpressionPtr string();
  ExpressionPtr parenthesized();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr operand);
  ExpressionPtr attribute(ExpressionPtr operand);
  ExpressionPtr subscript(ExpressionPtr operand);
  ExpressionPtr filters_and_tests(ExpressionPtr operand);
  ExpressionPtr filter(ExpressionPtr operand);
  ExpressionPtr test(ExpressionPtr operand);
  ExpressionPtr call(ExpressionPtr callee);
  void arguments(Expression& call);
  void unpacked_argument(Expression& call);
  ExpressionPtr subscript_part();
  ExpressionPtr tuple_of(ExpressionPtr (ExpressionParser::*part)());
  bool at_end_of_tuple() const;

  ExpressionPtr make(ExpressionKind kind, uint32_t offset) const;
  void adopt(Expression& parent, ExpressionPtr child);
  ExpressionPtr binary(uint32_t offset, Operator op, ExpressionPtr left, ExpressionPtr right);

  TokenStream& tokens_;
  SpecialNames special_names_;
};

}  // namespace emelex::jinja
