#pragma once

#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// Python's two ways to fill values into a string. What comes from the values keeps its origin.
Text format_percent(Evaluator& evaluator, const Text& format, const Value& values);        // format % values
Text format_braces(Evaluator& evaluator, const Text& format, const Arguments& arguments);  // format.format(…)

// `text` with `fill` around it, so that it has `width` characters. `align` is '<', '>' or '^' ("center": a character
// that is left over goes to the right).
Text pad(Evaluator& evaluator, const Text& text, int64_t width, char align, const Text& fill);

}  // namespace emelex::jinja
