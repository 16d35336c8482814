#pragma once

#include <string>
#include <string_view>

#include "weights/metadata.h"

namespace emelex {

// A chat template that stands in where a model has none.
struct BuiltInTemplate {
  std::string_view name;  // "chatml", "llama-3", …
  std::string source;     // Jinja
};

// The one for the family whose marks the vocabulary has; "plain", which names who speaks, where it has none.
BuiltInTemplate built_in_template(const Metadata& metadata);

}  // namespace emelex
