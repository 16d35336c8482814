#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// A call of a method, filter or test: what it is called on, and with what.
struct Call {
  Evaluator& evaluator;
  const Value& self;
  const Arguments& arguments;
  std::string_view name;

  std::vector<const Value*> bound(std::initializer_list<std::string_view> names) const {
    return bind(evaluator, name, arguments, names);
  }

  // The same for what Python takes by its place alone.
  std::vector<const Value*> placed(std::initializer_list<std::string_view> names) const {
    if (!arguments.named.empty()) evaluator.fail(str_cat("expected no named arguments of '", name, "', got one"));
    return bound(names);
  }

  const Text& text() const { return *self.text(); }  // where `self` is known to be one

  const Value& required(const Value* value) const {
    if (value == nullptr) evaluator.fail(str_cat("expected one more argument of '", name, "', got none"));
    return *value;
  }
  const Text& text_argument(const Value* value) const {
    if (evaluator.defined(required(value)).text() == nullptr) {
      evaluator.fail(str_cat("expected a string for '", name, "', got ", value->type_name()));
    }
    return *value->text();
  }
  int64_t integer_argument(const Value* value, int64_t otherwise) const {
    if (value == nullptr) return otherwise;
    if (!evaluator.defined(*value).is_integer()) {
      evaluator.fail(str_cat("expected an integer for '", name, "', got ", value->type_name()));
    }
    return value->integer();
  }
  static bool flag_argument(const Value* value, bool otherwise) {
    return value == nullptr ? otherwise : value->truth();
  }
};

// What a name stands for.
struct CallRule {
  std::string_view name;
  Value (*call)(const Call&);  // nullptr: Jinja has it, emelex lacks it
  // In place of `call`: a filter that gives a generator, which opens it when the first item is asked for.
  Pull (*open)(const Call&) = nullptr;
  size_t least_arguments = 0;  // of such a filter, which is known before
};

}  // namespace emelex::jinja
