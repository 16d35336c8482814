#pragma once

#include <vector>

#include "emelex/chat.h"
#include "text/jinja/value.h"

namespace emelex {

// A message as templates see it. Its strings come from the data, but for the names of the usual roles: templates make
// control tokens of them, as in '<|' + role + '|>'.
jinja::Value message_value(const Message& message);

// For a message that the model goes on with: the messages with a mark at the end of the last one's text, and a rendered
// text without the mark and all that is behind it. Both throw Error(invalid_argument) when there is no such text.
std::vector<Message> mark_end(std::vector<Message> messages);
jinja::Text cut_at_mark(const jinja::Text& rendered);

}  // namespace emelex
