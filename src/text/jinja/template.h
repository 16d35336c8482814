#pragma once

#include <string>
#include <string_view>

#include "text/jinja/ast.h"
#include "text/jinja/source.h"
#include "text/jinja/value.h"

namespace emelex::jinja {

// A Jinja template as chat templates use the language (Jinja 3.1 with trim_blocks and lstrip_blocks, break and
// continue). Immutable; safe to use from any thread.
class Template {
 public:
  // `name` is the file that it is from, for messages. Throws Error: corrupt_file for what is no template, unsupported
  // for a statement that emelex lacks; both with line and column.
  Template(std::string_view source, std::string name);

  // The names in `variables` must be texts. Throws Error(invalid_argument) where the template fails or raises an
  // exception of its own, and when it goes over the limits; Error(unsupported) where it uses what emelex lacks.
  Text render(const Dict& variables) const;

 private:
  Source source_;
  Block block_;
};

}  // namespace emelex::jinja
