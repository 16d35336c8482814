#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace emelex {

using Json = nlohmann::json;

// How large a JSON text may be. Each use names its numbers and why.
struct JsonLimits {
  size_t bytes;   // of text
  size_t depth;   // of arrays and objects in each other
  size_t values;  // keys do not count; a value takes at most about 100 bytes of memory beside its text
};

// A JSON text from a file that may hold anything (RFC 8259). Throws Error(corrupt_file) as "[component] … in SOURCE"
// when it is malformed, beyond the limits, or has a key twice in one object.
Json parse_json(std::string_view text, const JsonLimits& limits, std::string_view component, std::string_view source);

}  // namespace emelex
