#pragma once

#include <string_view>

#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// Whether Jinja has a test of that name.
bool has_test(std::string_view name);

// value is name(arguments). Fails with Error(unsupported) for a test that emelex lacks.
bool apply_test(Evaluator& evaluator, std::string_view name, const Value& value, const Arguments& arguments);

}  // namespace emelex::jinja
