#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/strings.h"
#include "text/jinja/format.h"
#include "text/jinja/markup.h"

namespace emelex::jinja {
namespace {

[[noreturn]] void fail_types(Evaluator& evaluator, std::string_view op, const Value& left, const Value& right) {
  evaluator.defined(left);
  evaluator.defined(right);
  evaluator.fail(
      str_cat("expected values that go with '", op, "', got ", left.type_name(), " and ", right.type_name()));
}

std::string_view symbol_of(Operator op) {
  switch (op) {
    case Operator::add:
    case Operator::plus:
      return "+";
    case Operator::subtract:
    case Operator::minus:
      return "-";
    case Operator::multiply:
      return "*";
    case Operator::divide:
      return "/";
    case Operator::floor_divide:
      return "//";
    case Operator::modulo:
      return "%";
    case Operator::power:
      return "**";
    default:
      return "comparison";
  }
}

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return quotient - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

// False when the result does not fit.
bool integer_power(int64_t base, int64_t exponent, int64_t& result) {
  result = 1;
  if (base == 0 || base == 1) return result = exponent == 0 ? 1 : base, true;
  if (base == -1) return result = exponent % 2 == 0 ? 1 : -1, true;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) return false;
  }
  return true;
}

Value integer_operation(Evaluator& evaluator, Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  const bool divides = op == Operator::divide || op == Operator::floor_divide || op == Operator::modulo;
  if (divides && b == 0) evaluator.fail("expected no division by zero, got one");
  switch (op) {
    case Operator::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Operator::subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Operator::multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Operator::divide:
      return Value(static_cast<double>(a) / static_cast<double>(b));
    case Operator::floor_divide:
    case Operator::modulo:
      if (b == -1) {  // the one quotient that may not fit, and a remainder that the machine traps on
        overflow = op == Operator::floor_divide && __builtin_sub_overflow(int64_t{0}, a, &result);
      } else {
        result = op == Operator::floor_divide ? floor_divide(a, b) : a - floor_divide(a, b) * b;
      }
      break;
    default:
      if (b < 0 && a == 0) evaluator.fail("expected no power of zero below zero, got one");
      if (b < 0) return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
      overflow = !integer_power(a, b, result);
  }
  if (overflow) evaluator.fail("expected integers of at most 64 bits, got a larger one", ErrorCode::unsupported);
  return Value(result);
}

double float_power(Evaluator& evaluator, double a, double b) {
  if (a == 0 && b < 0) evaluator.fail("expected no power of zero below zero, got one");
  const double power = std::pow(a, b);
  if (std::isfinite(a) && std::isfinite(b)) {
    if (std::isnan(power)) evaluator.fail("complex numbers are not supported", ErrorCode::unsupported);
    if (std::isinf(power)) evaluator.fail("expected a power that a float can hold, got a larger one");
  }
  return power;
}

Value float_operation(Evaluator& evaluator, Operator op, double a, double b) {
  const bool divides = op == Operator::divide || op == Operator::floor_divide || op == Operator::modulo;
  if (divides && b == 0) evaluator.fail("expected no division by zero, got one");
  switch (op) {
    case Operator::add:
      return Value(a + b);
    case Operator::subtract:
      return Value(a - b);
    case Operator::multiply:
      return Value(a * b);
    case Operator::divide:
      return Value(a / b);
    case Operator::floor_divide:
    case Operator::modulo: {
      const double rest = std::fmod(a, b);
      const bool other_sign = rest != 0 && (rest < 0) != (b < 0);
      if (op == Operator::modulo) return Value(other_sign ? rest + b : rest == 0 ? std::copysign(0.0, b) : rest);
      // From the remainder, which is exact, since a / b may round up to the next integer.
      return Value(std::round((a - rest) / b - (other_sign ? 1 : 0)));
    }
    default:
      return Value(float_power(evaluator, a, b));
  }
}

Value repeat(Evaluator& evaluator, const Value& what, int64_t times) {
  times = std::max<int64_t>(times, 0);
  evaluator.charge(what.weight() * static_cast<double>(times));
  if (const Text* text = what.text()) {
    Text out;
    for (int64_t i = 0; i < times && !text->empty(); ++i) out.append(*text);
    return Value(text->is_markup() ? out.as_markup() : std::move(out));
  }
  List list;
  list.kind = what.list()->kind;
  for (int64_t i = 0; i < times && !what.list()->items.empty(); ++i) {
    list.items.insert(list.items.end(), what.list()->items.begin(), what.list()->items.end());
  }
  return Value(std::move(list));
}

Value add_sequences(Evaluator& evaluator, const Value& left, const Value& right) {
  evaluator.charge(left.weight() + right.weight());
  if (left.text() != nullptr) {
    const bool markup = left.text()->is_markup() || right.text()->is_markup();
    if (markup) evaluator.charge(6 * (left.weight() + right.weight()));
    Text out = markup ? escape_html(*left.text()) : *left.text();
    out.append(markup ? escape_html(*right.text()) : *right.text());
    return Value(markup ? out.as_markup() : std::move(out));
  }
  List list = *left.list();
  list.items.insert(list.items.end(), right.list()->items.begin(), right.list()->items.end());
  return Value(List{std::move(list.items), list.kind});
}

bool is_sequence(const Value& value) {
  return value.text() != nullptr || (value.list() != nullptr && value.list()->is_plain());
}

// Two lists, or two tuples.
bool are_alike(const Value& left, const Value& right) {
  return left.list() != nullptr && right.list() != nullptr && left.list()->kind == right.list()->kind &&
         left.list()->is_plain();
}

bool lists_less(Evaluator& evaluator, const List& left, const List& right) {
  const size_t n = std::min(left.items.size(), right.items.size());
  for (size_t i = 0; i < n; ++i) {
    if (!evaluator.equal(left.items[i], right.items[i])) return is_less(evaluator, left.items[i], right.items[i]);
  }
  return left.items.size() < right.items.size();
}

}  // namespace

Value apply_unary(Evaluator& evaluator, Operator op, const Value& operand) {
  if (op == Operator::negate) return Value(!operand.truth());
  evaluator.defined(operand);
  if (!operand.is_number()) {
    evaluator.fail(str_cat("expected a number after '", symbol_of(op), "', got ", operand.type_name()));
  }
  if (op == Operator::plus) return operand.is_integer() ? Value(operand.integer()) : operand;
  if (operand.is<double>()) return Value(-operand.number());
  return integer_operation(evaluator, Operator::subtract, 0, operand.integer());
}

Value apply_binary(Evaluator& evaluator, Operator op, const Value& left, const Value& right) {
  if (left.is_integer() && right.is_integer()) {
    return integer_operation(evaluator, op, left.integer(), right.integer());
  }
  if (left.is_number() && right.is_number()) return float_operation(evaluator, op, left.number(), right.number());
  if (op == Operator::multiply) {
    if (is_sequence(left) && right.is_integer()) return repeat(evaluator, left, right.integer());
    if (is_sequence(right) && left.is_integer()) return repeat(evaluator, right, left.integer());
  }
  if (op == Operator::add) {
    const bool texts = left.text() != nullptr && right.text() != nullptr;
    if (texts || are_alike(left, right)) return add_sequences(evaluator, left, right);
  }
  if (op == Operator::modulo && left.text() != nullptr) {
    return Value(format_percent(evaluator, *left.text(), right));
  }
  fail_types(evaluator, symbol_of(op), left, right);
}

bool is_less(Evaluator& evaluator, const Value& left, const Value& right) {
  evaluator.charge(std::min(left.weight(), right.weight()));
  if (left.is_integer() && right.is_integer()) return left.integer() < right.integer();
  if (left.is_number() && right.is_number()) return left.number() < right.number();
  // UTF-8 has the order of its code points.
  if (left.text() != nullptr && right.text() != nullptr) return left.text()->bytes() < right.text()->bytes();
  if (are_alike(left, right)) {
    return lists_less(evaluator, *left.list(), *right.list());
  }
  fail_types(evaluator, "<", left, right);
}

bool contains(Evaluator& evaluator, const Value& container, const Value& item) {
  evaluator.charge(container.weight());
  if (const Text* text = container.text()) {
    if (item.text() == nullptr) fail_types(evaluator, "in", item, container);
    return text->bytes().find(item.text()->bytes()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    evaluator.charge(item.weight() * static_cast<double>(dict->items.size()));
    return dict->find(evaluator.hashable(item)) != nullptr;
  }
  const std::vector<Value> items = evaluator.iterate(container);
  return std::any_of(items.begin(), items.end(), [&](const Value& other) { return evaluator.equal(item, other); });
}

bool compare(Evaluator& evaluator, Operator op, const Value& left, const Value& right) {
  switch (op) {
    case Operator::equal:
      return evaluator.equal(left, right);
    case Operator::not_equal:
      return !evaluator.equal(left, right);
    case Operator::less:
      return is_less(evaluator, left, right);
    case Operator::greater:
      return is_less(evaluator, right, left);
    case Operator::less_equal:
      // NaN is neither less nor equal, so this is not the opposite of `greater`.
      return is_less(evaluator, left, right) || evaluator.equal(left, right);
    case Operator::greater_equal:
      return is_less(evaluator, right, left) || evaluator.equal(left, right);
    case Operator::in:
      return contains(evaluator, right, left);
    default:
      return !contains(evaluator, right, left);
  }
}

}  // namespace emelex::jinja
