#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emelex {

// A pattern as models' files have it, in PCRE2's syntax: \s, \S, \w, \W, \h and \H spelled out as Oniguruma means them,
// and classes in classes flattened. Nothing where those can't be: negated ones, and intersections.
std::optional<std::string> translate_regex(std::string_view pattern);

}  // namespace emelex
