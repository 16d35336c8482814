#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/value.h"

namespace emelex::jinja {

// The method of that name of a string, list, dict or loop, bound to `owner`; nothing when there is none. A method of
// Python's that emelex lacks is there, and fails with Error(unsupported) when it is called.
std::optional<Function> method_of(const Value& owner, std::string_view name);

// str.split and str.rsplit: by `separator`, or by white space when it is none; at most `limit` cuts unless negative.
Value split(Evaluator& evaluator, const Text& text, const Value& separator, int64_t limit, bool from_right);

// str.replace; every one when `limit` is negative.
Text replace(Evaluator& evaluator, const Text& text, const Text& from, const Text& to, int64_t limit);

// The items of a dict as a list of pairs.
Value pairs_of(Evaluator& evaluator, const Dict& dict);

}  // namespace emelex::jinja
