#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace emelex::jinja {

ExpressionPtr ExpressionParser::make(ExpressionKind kind, uint32_t offset) const {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->offset = offset;
  return made;
}

// Chains such as a + b + c … grow without the parser recursing, so the depth is counted here as well.
void ExpressionParser::adopt(Expression& parent, ExpressionPtr child) {
  if (child) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > kMostSyntaxDepth) {
      tokens_.fail(ErrorCode::unsupported, parent.offset,
                   str_cat("expected nesting at most ", kMostSyntaxDepth, " deep, got more"));
    }
  }
  parent.children.push_back(std::move(child));
}

ExpressionPtr ExpressionParser::binary(uint32_t offset, Operator op, ExpressionPtr left, ExpressionPtr right) {
  auto made = make(ExpressionKind::binary, offset);
  made->operators.push_back(op);
  adopt(*made, std::move(left));
  adopt(*made, std::move(right));
  return made;
}

ExpressionPtr ExpressionParser::expression_no_conditional() { return logical_or(); }

ExpressionPtr ExpressionParser::expression() {
  const TokenStream::Deeper deeper(tokens_);
  ExpressionPtr left = logical_or();
  while (tokens_.at_name("if")) {
    auto made = make(ExpressionKind::conditional, tokens_.take().offset);
    adopt(*made, std::move(left));
    adopt(*made, logical_or());
    adopt(*made, tokens_.skip_name("else") ? expression() : nullptr);
    left = std::move(made);
  }
  return left;
}

ExpressionPtr ExpressionParser::logical_or() {
  ExpressionPtr left = logical_and();
  while (tokens_.at_name("or")) {
    auto made = make(ExpressionKind::logical_or, tokens_.take().offset);
    adopt(*made, std::move(left));
    adopt(*made, logical_and());
    left = std::move(made);
  }
  return left;
}

ExpressionPtr ExpressionParser::logical_and() {
  ExpressionPtr left = negation();
  while (tokens_.at_name("and")) {
    auto made = make(ExpressionKind::logical_and, tokens_.take().offset);
    adopt(*made, std::move(left));
    adopt(*made, negation());
    left = std::move(made);
  }
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!tokens_.at_name("not")) return comparison();
  const TokenStream::Deeper deeper(tokens_);
  auto made = make(ExpressionKind::unary, tokens_.take().offset);
  made->operators.push_back(Operator::negate);
  adopt(*made, negation());
  return made;
}

namespace {

std::optional<Operator> comparison_at(TokenStream& tokens) {
  static constexpr std::pair<std::string_view, Operator> kSymbols[] = {
      {"==", Operator::equal},         {"!=", Operator::not_equal}, {"<=", Operator::less_equal},
      {">=", Operator::greater_equal}, {"<", Operator::less},       {">", Operator::greater},
  };
  for (const auto& [symbol, op] : kSymbols) {
    if (tokens.skip_symbol(symbol)) return op;
  }
  if (tokens.skip_name("in")) return Operator::in;
  if (tokens.at_name("not") && tokens.next().kind == TokenKind::name && tokens.next().text == "in") {
    tokens.take();
    tokens.take();
    return Operator::not_in;
  }
  return std::nullopt;
}

std::optional<Operator> operator_at(TokenStream& tokens,
                                    std::initializer_list<std::pair<std::string_view, Operator>> symbols) {
  for (const auto& [symbol, op] : symbols) {
    if (tokens.skip_symbol(symbol)) return op;
  }
  return std::nullopt;
}

}  // namespace

ExpressionPtr ExpressionParser::comparison() {
  const uint32_t offset = tokens_.offset();
  ExpressionPtr first = sum();
  ExpressionPtr made;
  while (const auto op = comparison_at(tokens_)) {
    if (!made) {
      made = make(ExpressionKind::comparison, offset);
      adopt(*made, std::move(first));
    }
    made->operators.push_back(*op);
    adopt(*made, sum());
  }
  return made ? std::move(made) : std::move(first);
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = concat();
  for (;;) {
    const uint32_t offset = tokens_.offset();
    const auto op = operator_at(tokens_, {{"+", Operator::add}, {"-", Operator::subtract}});
    if (!op) return left;
    ExpressionPtr right = concat();
    left = binary(offset, *op, std::move(left), std::move(right));
  }
}

ExpressionPtr ExpressionParser::concat() {
  ExpressionPtr first = product();
  if (!tokens_.at_symbol("~")) return first;
  auto made = make(ExpressionKind::concat, tokens_.offset());
  adopt(*made, std::move(first));
  while (tokens_.skip_symbol("~")) adopt(*made, product());
  return made;
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr left = power();
  for (;;) {
    const uint32_t offset = tokens_.offset();
    const auto op = operator_at(
        tokens_,
        {{"*", Operator::multiply}, {"/", Operator::divide}, {"//", Operator::floor_divide}, {"%", Operator::modulo}});
    if (!op) return left;
    ExpressionPtr right = power();
    left = binary(offset, *op, std::move(left), std::move(right));
  }
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary(true);
  for (;;) {
    const uint32_t offset = tokens_.offset();
    if (!tokens_.skip_symbol("**")) return left;
    ExpressionPtr right = unary(true);
    left = binary(offset, Operator::power, std::move(left), std::move(right));
  }
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const TokenStream::Deeper deeper(tokens_);
  const uint32_t offset = tokens_.offset();
  ExpressionPtr made;
  if (const auto op = operator_at(tokens_, {{"-", Operator::minus}, {"+", Operator::plus}})) {
    made = make(ExpressionKind::unary, offset);
    made->operators.push_back(*op);
    adopt(*made, unary(false));
  } else {
    made = primary();
  }
  made = postfix(std::move(made));
  return with_filters ? filters_and_tests(std::move(made)) : std::move(made);
}

ExpressionPtr ExpressionParser::primary() {
  switch (tokens_.current().kind) {
    case TokenKind::name:
      return name_or_constant();
    case TokenKind::integer:
    case TokenKind::floating:
      return number();
    case TokenKind::string:
      return string();
    default:
      break;
  }
  if (tokens_.at_symbol("(")) return parenthesized();
  if (tokens_.at_symbol("[")) return list();
  if (tokens_.at_symbol("{")) return dict();
  tokens_.fail(str_cat("expected an expression, got ", tokens_.describe()));
}

ExpressionPtr ExpressionParser::name_or_constant() {
  const Token token = tokens_.take();
  auto made = make(ExpressionKind::constant, token.offset);
  const std::string& name = token.text;
  if (name == "true" || name == "True") {
    made->value = Value(true);
  } else if (name == "false" || name == "False") {
    made->value = Value(false);
  } else if (name == "none" || name == "None") {
    made->value = Value(None{});
  } else {
    made->kind = ExpressionKind::variable;
    made->name = name;
    add_special_names({name == "caller", name == "varargs", name == "kwargs"});
  }
  return made;
}

ExpressionPtr ExpressionParser::number() {
  const Token token = tokens_.take();
  auto made = make(ExpressionKind::constant, token.offset);
  const bool has_base = token.text.size() > 2 && token.text[0] == '0' && token.text[1] > '9';
  const int base = !has_base ? 10 : token.text[1] == 'x' ? 16 : token.text[1] == 'o' ? 8 : 2;
  const char* begin = token.text.data() + (has_base ? 2 : 0);
  const char* end = token.text.data() + token.text.size();
  if (token.kind == TokenKind::integer) {
    int64_t number = 0;
    if (std::from_chars(begin, end, number, base).ec != std::errc()) {
      tokens_.fail(ErrorCode::unsupported, token.offset, "expected an integer of at most 64 bits, got a larger one");
    }
    made->value = Value(number);
  } else {
    made->value = Value(std::strtod(token.text.c_str(), nullptr));
  }
  return made;
}

ExpressionPtr ExpressionParser::string() {
  auto made = make(ExpressionKind::constant, tokens_.offset());
  std::string joined;
  while (tokens_.at(TokenKind::string)) joined += tokens_.take().text;
  made->value = Value(std::move(joined));
  return made;
}

bool ExpressionParser::at_end_of_tuple() const {
  return tokens_.at(TokenKind::output_end) || tokens_.at(TokenKind::block_end) || tokens_.at_symbol(")") ||
         tokens_.at_symbol("=") || tokens_.at_symbol("]");
}

ExpressionPtr ExpressionParser::tuple_of(ExpressionPtr (ExpressionParser::*part)()) {
  const uint32_t offset = tokens_.offset();
  ExpressionPtr first = (this->*part)();
  if (!tokens_.at_symbol(",")) return first;
  auto made = make(ExpressionKind::tuple, offset);
  adopt(*made, std::move(first));
  while (tokens_.skip_symbol(",") && !at_end_of_tuple() && !tokens_.at_name("recursive")) adopt(*made, (this->*part)());
  return made;
}

ExpressionPtr ExpressionParser::expression_or_tuple() { return tuple_of(&ExpressionParser::expression); }

ExpressionPtr ExpressionParser::tuple_no_conditional() {
  return tuple_of(&ExpressionParser::expression_no_conditional);
}

ExpressionPtr ExpressionParser::parenthesized() {
  const uint32_t offset = tokens_.take().offset;
  if (tokens_.skip_symbol(")")) return make(ExpressionKind::tuple, offset);
  ExpressionPtr inner = expression_or_tuple();
  tokens_.expect_symbol(")");
  return inner;
}

ExpressionPtr ExpressionParser::list() {
  auto made = make(ExpressionKind::list, tokens_.take().offset);
  while (!tokens_.at_symbol("]")) {
    adopt(*made, expression());
    if (!tokens_.skip_symbol(",")) break;
  }
  tokens_.expect_symbol("]");
  return made;
}

ExpressionPtr ExpressionParser::dict() {
  auto made = make(ExpressionKind::dict, tokens_.take().offset);
  while (!tokens_.at_symbol("}")) {
    adopt(*made, expression());
    tokens_.expect_symbol(":");
    adopt(*made, expression());
    if (!tokens_.skip_symbol(",")) break;
  }
  tokens_.expect_symbol("}");
  return made;
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr operand) {
  for (;;) {
    if (tokens_.at_symbol(".")) {
      operand = attribute(std::move(operand));
    } else if (tokens_.at_symbol("[")) {
      operand = subscript(std::move(operand));
    } else if (tokens_.at_symbol("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr operand) {
  const uint32_t offset = tokens_.take().offset;
  const bool by_name = tokens_.at(TokenKind::name);
  auto made = make(by_name ? ExpressionKind::attribute : ExpressionKind::item, offset);
  adopt(*made, std::move(operand));
  if (by_name) {
    made->name = tokens_.take().text;
  } else if (tokens_.at(TokenKind::integer)) {
    adopt(*made, number());
  } else {
    tokens_.fail(str_cat("expected a name after '.', got ", tokens_.describe()));
  }
  return made;
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr operand) {
  auto made = make(ExpressionKind::item, tokens_.take().offset);
  adopt(*made, std::move(operand));
  ExpressionPtr first = subscript_part();
  if (first->kind == ExpressionKind::slice) {
    made->kind = ExpressionKind::slice;
    for (auto& bound : first->children) adopt(*made, std::move(bound));
  } else if (tokens_.at_symbol(",")) {
    auto tuple = make(ExpressionKind::tuple, tokens_.offset());
    adopt(*tuple, std::move(first));
    while (tokens_.skip_symbol(",")) adopt(*tuple, expression());
    adopt(*made, std::move(tuple));
  } else {
    adopt(*made, std::move(first));
  }
  tokens_.expect_symbol("]");
  return made;
}

// An index; or the bounds of a slice, as a slice whose children they are.
ExpressionPtr ExpressionParser::subscript_part() {
  const auto bound = [&]() -> ExpressionPtr {
    return tokens_.at_symbol(":") || tokens_.at_symbol("]") ? nullptr : expression();
  };
  auto slice = make(ExpressionKind::slice, tokens_.offset());
  ExpressionPtr first = bound();
  if (!tokens_.at_symbol(":")) {
    if (!first) tokens_.fail("expected an index, got ']'");
    return first;
  }
  tokens_.take();
  adopt(*slice, std::move(first));
  adopt(*slice, bound());
  adopt(*slice, tokens_.skip_symbol(":") ? bound() : nullptr);
  return slice;
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr operand) {
  for (;;) {
    if (tokens_.at_symbol("|")) {
      tokens_.take();
      operand = filter(std::move(operand));
    } else if (tokens_.at_name("is")) {
      operand = test(std::move(operand));
    } else if (tokens_.at_symbol("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr input, bool leading_bar) {
  if (!leading_bar) input = filter(std::move(input));
  while (tokens_.skip_symbol("|")) input = filter(std::move(input));
  return input;
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr operand) {
  auto made = make(ExpressionKind::filter, tokens_.offset());
  made->name = tokens_.expect_name();
  while (tokens_.skip_symbol(".")) made->name += str_cat('.', tokens_.expect_name());
  adopt(*made, std::move(operand));
  if (tokens_.at_symbol("(")) arguments(*made);
  return made;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr operand) {
  const uint32_t offset = tokens_.take().offset;
  const bool negated = tokens_.skip_name("not");
  auto made = make(ExpressionKind::test, tokens_.offset());
  made->name = tokens_.expect_name();
  adopt(*made, std::move(operand));
  if (tokens_.at_symbol("(")) {
    arguments(*made);
  } else {
    if (tokens_.at_name("is")) tokens_.fail("expected one test, got another behind it");
    const bool word = tokens_.at_name("else") || tokens_.at_name("or") || tokens_.at_name("and");
    const bool starts = tokens_.at(TokenKind::name) || tokens_.at(TokenKind::string) ||
                        tokens_.at(TokenKind::integer) || tokens_.at(TokenKind::floating) || tokens_.at_symbol("[") ||
                        tokens_.at_symbol("{");
    if (starts && !word) adopt(*made, postfix(primary()));
  }
  if (!negated) return made;
  auto negation = make(ExpressionKind::unary, offset);
  negation->operators.push_back(Operator::negate);
  adopt(*negation, std::move(made));
  return negation;
}

ExpressionPtr ExpressionParser::call(ExpressionPtr callee) {
  auto made = make(ExpressionKind::call, tokens_.offset());
  adopt(*made, std::move(callee));
  arguments(*made);
  return made;
}

void ExpressionParser::arguments(Expression& call) {
  tokens_.expect_symbol("(");
  while (!tokens_.at_symbol(")")) {
    const bool named =
        tokens_.at(TokenKind::name) && tokens_.next().kind == TokenKind::symbol && tokens_.next().text == "=";
    if (tokens_.at_symbol("*") || tokens_.at_symbol("**")) {
      unpacked_argument(call);
    } else if (named) {
      if (call.unpacked_named) tokens_.fail("expected no argument after one with '**', got one");
      std::string name = tokens_.take().text;
      tokens_.take();
      ExpressionPtr value = expression();
      call.depth = std::max(call.depth, value->depth + 1);
      call.named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!call.named.empty() || call.unpacked || call.unpacked_named) {
        tokens_.fail("expected no positional argument after a named one, got one");
      }
      adopt(call, expression());
    }
    if (!tokens_.skip_symbol(",")) break;
  }
  tokens_.expect_symbol(")");
}

// *list or **dict.
void ExpressionParser::unpacked_argument(Expression& call) {
  const bool named = tokens_.take().text == "**";
  if (call.unpacked_named || (!named && call.unpacked)) tokens_.fail("expected '*' and '**' once and in this order");
  ExpressionPtr value = expression();
  call.depth = std::max(call.depth, value->depth + 1);
  (named ? call.unpacked_named : call.unpacked) = std::move(value);
}

void ExpressionParser::add_special_names(SpecialNames names) {
  special_names_.caller = special_names_.caller || names.caller;
  special_names_.varargs = special_names_.varargs || names.varargs;
  special_names_.kwargs = special_names_.kwargs || names.kwargs;
}

}  // namespace emelex::jinja
