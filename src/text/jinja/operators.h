#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// Python's operators.
Value apply_unary(Evaluator& evaluator, Operator op, const Value& operand);
Value apply_binary(Evaluator& evaluator, Operator op, const Value& left, const Value& right);
bool compare(Evaluator& evaluator, Operator op, const Value& left, const Value& right);

// Whether `left` comes before `right`. Fails when the two have no order.
bool is_less(Evaluator& evaluator, const Value& left, const Value& right);

// Whether `item` is in a list, a string's substring, or a dict's key.
bool contains(Evaluator& evaluator, const Value& container, const Value& item);

}  // namespace emelex::jinja
