#pragma once

#include <vector>

#include "text/jinja/characters.h"
#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// str.split and str.rsplit: by `separator`, or by white space when it is none; at most `limit` cuts unless negative.
Value split(Evaluator& evaluator, const Text& text, const Value& separator, int64_t limit, bool from_right);

// str.replace; every one when `limit` is negative.
Text replace(Evaluator& evaluator, const Text& text, const Text& from, const Text& to, int64_t limit);

// Each line as str.splitlines() finds them, without its end or with it.
std::vector<Range> lines_of(const std::string& bytes, bool with_ends = false);

}  // namespace emelex::jinja
