#include "cli/conversation_file.h"

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/json_text.h"
#include "base/small_file.h"
#include "base/strings.h"
#include "cli/signal.h"
#include "emelex/error.h"

namespace emelex::cli {
namespace {

std::string read_conversation(const std::string& file) {
  constexpr size_t kMostBytes = size_t{64} << 20;  // far more than any context holds
  return read_small_file(file, {.most_bytes = kMostBytes, .cancel = &interrupt_flag()});
}

}  // namespace

void save_conversation(const std::string& file, const std::vector<Message>& messages) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Message& message : messages) json.push_back({{"role", message.role}, {"content", message.content}});
  // What people ask a model is theirs alone.
  DurableFile output(file, {.mode = 0600, .keep_mode = false});
  output.write(printable_json_text(json, 2) + "\n");
  output.commit();
}

std::vector<Message> load_conversation(const std::string& file) {
  const auto json = json_of(read_conversation(file));
  const auto refuse = [&file](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, str_cat("[chat] '", file, "': ", problem));
  };
  if (!json.is_array()) refuse("expected a JSON array of messages");
  std::vector<Message> messages;
  for (const auto& entry : json) {
    const bool good = entry.is_object() && entry.contains("role") && entry["role"].is_string() &&
                      entry.contains("content") && entry["content"].is_string();
    if (!good) refuse("expected objects with the texts 'role' and 'content'");
    Message message{entry["role"], entry["content"]};
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      refuse("expected the role system, user or assistant, got '" + message.role + "'");
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace emelex::cli
