#include <algorithm>

#include "base/strings.h"
#include "text/jinja/access.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/filters.h"
#include "text/jinja/limits.h"
#include "text/jinja/operators.h"
#include "text/jinja/tests.h"

namespace emelex::jinja {

Value Evaluator::evaluate(const Expression& expression, Scope& scope) {
  const Deeper deeper(*this);
  charge(1);
  const uint32_t offset = std::exchange(offset_, expression.offset);
  Value value = evaluate_kind(expression, scope);
  offset_ = offset;
  return value;
}

Value Evaluator::evaluate_kind(const Expression& expression, Scope& scope) {
  const auto child = [&](size_t i) { return evaluate(*expression.children[i], scope); };
  switch (expression.kind) {
    case ExpressionKind::constant:
      return expression.value;
    case ExpressionKind::variable: {
      const Value* found = find(expression.name, scope);
      return found != nullptr ? *found : Value::undefined(str_cat("'", expression.name, "'"));
    }
    case ExpressionKind::tuple:
    case ExpressionKind::list:
      return evaluate_sequence(expression, scope);
    case ExpressionKind::dict:
      return evaluate_dict(expression, scope);
    case ExpressionKind::attribute:
      return attribute_of(*this, child(0), expression.name);
    case ExpressionKind::item: {
      const Value owner = child(0);
      return item_of(*this, owner, child(1));
    }
    case ExpressionKind::slice:
      return evaluate_slice(expression, scope);
    case ExpressionKind::call:
      return evaluate_call(expression, scope);
    case ExpressionKind::filter:
      return evaluate_filter(expression, scope, nullptr);
    case ExpressionKind::test:
      return evaluate_test(expression, scope);
    case ExpressionKind::unary:
      return apply_unary(*this, expression.operators[0], child(0));
    case ExpressionKind::binary: {
      const Value left = child(0);
      return apply_binary(*this, expression.operators[0], left, child(1));
    }
    case ExpressionKind::comparison:
      return evaluate_comparison(expression, scope);
    case ExpressionKind::logical_and: {
      Value left = child(0);
      return left.truth() ? child(1) : left;
    }
    case ExpressionKind::logical_or: {
      Value left = child(0);
      return left.truth() ? left : child(1);
    }
    case ExpressionKind::conditional:
      return evaluate_conditional(expression, scope);
    case ExpressionKind::concat:
      return evaluate_concat(expression, scope);
  }
  fail("an unknown expression", ErrorCode::internal);
}

Value Evaluator::evaluate_sequence(const Expression& expression, Scope& scope) {
  List list;
  list.kind = expression.kind == ExpressionKind::tuple ? ListKind::tuple : ListKind::list;
  for (const auto& child : expression.children) list.items.push_back(evaluate(*child, scope));
  return Value(std::move(list));
}

Value Evaluator::evaluate_dict(const Expression& expression, Scope& scope) {
  Dict dict;
  for (size_t i = 0; i + 1 < expression.children.size(); i += 2) {
    Value key = hashable(evaluate(*expression.children[i], scope));
    charge(static_cast<double>(dict.items.size()));
    dict.set(std::move(key), evaluate(*expression.children[i + 1], scope));
  }
  return Value(std::move(dict));
}

Value Evaluator::evaluate_slice(const Expression& expression, Scope& scope) {
  const Value owner = evaluate(*expression.children[0], scope);
  Value bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    const auto& child = expression.children[i + 1];
    bounds[i] = child ? evaluate(*child, scope) : Value(None{});
  }
  return slice_of(*this, owner, bounds[0], bounds[1], bounds[2]);
}

Arguments Evaluator::evaluate_arguments(const Expression& expression, Scope& scope) {
  Arguments arguments;
  for (size_t i = 1; i < expression.children.size(); ++i) {
    arguments.positional.push_back(evaluate(*expression.children[i], scope));
  }
  for (const auto& [name, value] : expression.named) arguments.named.emplace_back(name, evaluate(*value, scope));
  if (expression.unpacked) {
    for (Value& value : iterate(evaluate(*expression.unpacked, scope)))
      arguments.positional.push_back(std::move(value));
  }
  if (!expression.unpacked_named) return arguments;
  const Value named = evaluate(*expression.unpacked_named, scope);
  if (defined(named).dict() == nullptr) fail(str_cat("expected a dict after '**', got ", named.type_name()));
  charge(named.weight());
  for (const auto& [name, value] : named.dict()->items) {
    if (name.text() == nullptr) fail(str_cat("expected texts as names of arguments, got ", name.type_name()));
    const std::string& key = name.text()->bytes();
    const bool twice = std::any_of(arguments.named.begin(), arguments.named.end(),
                                   [&key](const auto& argument) { return argument.first == key; });
    if (twice) fail(str_cat("expected one value for ", quote_bytes(key), ", got two"));
    arguments.named.emplace_back(key, value);
  }
  return arguments;
}

Value Evaluator::evaluate_call(const Expression& expression, Scope& scope) {
  const Value callee = evaluate(*expression.children[0], scope);
  return call(callee, evaluate_arguments(expression, scope));
}

Value Evaluator::evaluate_filter(const Expression& expression, Scope& scope, const Value* input) {
  Value value;
  const Expression* inner = expression.children[0].get();
  if (inner == nullptr) {
    value = *input;  // the innermost filter of a filter block
  } else if (input != nullptr && inner->kind == ExpressionKind::filter) {
    value = evaluate_filter(*inner, scope, input);
  } else {
    value = evaluate(*inner, scope);
  }
  const Arguments arguments = evaluate_arguments(expression, scope);
  const uint32_t offset = std::exchange(offset_, expression.offset);
  Value result = apply_filter(*this, expression.name, value, arguments);
  offset_ = offset;
  return result;
}

Value Evaluator::evaluate_test(const Expression& expression, Scope& scope) {
  const Value value = evaluate(*expression.children[0], scope);
  return Value(apply_test(*this, expression.name, value, evaluate_arguments(expression, scope)));
}

Value Evaluator::evaluate_comparison(const Expression& expression, Scope& scope) {
  Value left = evaluate(*expression.children[0], scope);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.children[i + 1], scope);
    if (!compare(*this, expression.operators[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Evaluator::evaluate_conditional(const Expression& expression, Scope& scope) {
  if (evaluate(*expression.children[1], scope).truth()) return evaluate(*expression.children[0], scope);
  if (expression.children[2]) return evaluate(*expression.children[2], scope);
  return Value::undefined("the inline if expression without an else");
}

Value Evaluator::evaluate_concat(const Expression& expression, Scope& scope) {
  Text out;
  for (const auto& child : expression.children) append(out, text_of(evaluate(*child, scope)));
  return Value(std::move(out));
}

std::vector<const Value*> bind(Evaluator& evaluator, std::string_view function, const Arguments& arguments,
                               std::initializer_list<std::string_view> names) {
  std::vector<const Value*> bound(names.size());
  if (arguments.positional.size() > names.size()) {
    evaluator.fail(str_cat("expected at most ", names.size(), " arguments of '", function, "', got ",
                           arguments.positional.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) bound[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) evaluator.fail(str_cat("expected no argument '", name, "' of '", function, "', got one"));
    const Value*& place = bound[static_cast<size_t>(found - names.begin())];
    if (place != nullptr) evaluator.fail(str_cat("expected one value for '", name, "' of '", function, "', got two"));
    place = &value;
  }
  return bound;
}

}  // namespace emelex::jinja
