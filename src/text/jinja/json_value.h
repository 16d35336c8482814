#pragma once

#include <string_view>

#include "text/jinja/value.h"

namespace emelex::jinja {

// A JSON text (RFC 8259) as a value whose strings and keys come from the data. Objects keep their order; of a key that
// comes twice the last value counts, as in Python. `what` names the text in messages: "the tools". Throws
// Error(invalid_argument) when it is malformed, larger or deeper than limits.h allows.
Value value_from_json(std::string_view text, std::string_view what);

}  // namespace emelex::jinja
