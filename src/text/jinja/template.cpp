#include "text/jinja/template.h"

#include "text/jinja/evaluator.h"
#include "text/jinja/parser.h"

namespace emelex::jinja {

Template::Template(std::string_view source, std::string name)
    : source_(source, std::move(name)), block_(parse(source_)) {}

Text Template::render(const Dict& variables) const { return Evaluator(source_, variables).run(block_); }

}  // namespace emelex::jinja
