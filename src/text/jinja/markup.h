#pragma once

#include <string_view>

#include "text/jinja/text.h"

namespace emelex::jinja {

// `text` with & < > ' " as HTML's references; as it is where it is markup already. The result is markup.
Text escape_html(const Text& text);

// Without tags and comments, with single spaces between words and with references as the characters that they are.
Text strip_tags(const Text& text);

// `text` as a part of a URL (RFC 3986): all but letters, digits and "_.-~" and `safe` as %XX. As one of a query, a
// space is "+".
Text quote_url(const Text& text, std::string_view safe, bool query);

}  // namespace emelex::jinja
