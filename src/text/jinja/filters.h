#pragma once

#include <span>
#include <string_view>

#include "text/jinja/call.h"

namespace emelex::jinja {

// value | name(arguments). Fails with Error(unsupported) for a filter that emelex lacks.
Value apply_filter(Evaluator& evaluator, std::string_view name, const Value& value, const Arguments& arguments);

// Whether Jinja has a filter of that name.
bool has_filter(std::string_view name);

// The filters, in a table for each file.
std::span<const CallRule> scalar_filters();
std::span<const CallRule> text_filters();
std::span<const CallRule> sequence_filters();
std::span<const CallRule> grouping_filters();

}  // namespace emelex::jinja
