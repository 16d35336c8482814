#pragma once

#include <string>
#include <vector>

#include "emelex/chat.h"

namespace emelex::cli {

// A conversation as JSON: [{"role": "user", "content": "…"}, …]. Both throw Error naming the file.
void save_conversation(const std::string& file, const std::vector<Message>& messages);
std::vector<Message> load_conversation(const std::string& file);

}  // namespace emelex::cli
