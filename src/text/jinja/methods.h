#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "text/jinja/call.h"

namespace emelex::jinja {

// The method of that name of a string, list, dict or loop, bound to `owner`; nothing when there is none. A method of
// Python's that emelex lacks is there, and fails with Error(unsupported) when it is called.
std::optional<Function> method_of(const Value& owner, std::string_view name);

// Whether Jinja's sandbox keeps templates from that attribute of `owner`, which Python has.
bool is_forbidden(const Value& owner, std::string_view name);

std::span<const CallRule> string_methods();

// The items of a dict as Python's dict.items().
Value pairs_of(Evaluator& evaluator, const Dict& dict);

}  // namespace emelex::jinja
