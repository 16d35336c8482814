#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/source.h"

namespace emelex::jinja {

// Throws Error with the place: corrupt_file for what is no template, unsupported for a tag that emelex does not have.
Block parse(const Source& source);

}  // namespace emelex::jinja
