#pragma once

#include <span>
#include <string_view>

#include "text/jinja/call.h"

namespace emelex::jinja {

// value | name(arguments). Fails with Error(unsupported) for a filter that emelex lacks.
Value apply_filter(Evaluator& evaluator, std::string_view name, const Value& value, const Arguments& arguments);

// The filters, in two tables for two files.
std::span<const CallRule> scalar_filters();
std::span<const CallRule> sequence_filters();

}  // namespace emelex::jinja
