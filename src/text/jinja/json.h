#pragma once

#include <string>

#include "text/jinja/evaluator.h"

namespace emelex::jinja {

constexpr int64_t kWidestJsonIndent = 64;

// Python's json.dumps options.
struct JsonStyle {
  bool ensure_ascii = false;  // write other characters as \uXXXX
  bool sort_keys = false;
  bool indents = false;  // one item a line
  std::string indent;    // of each level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};

Text to_json(Evaluator& evaluator, const Value& value, const JsonStyle& style);

}  // namespace emelex::jinja
