#include "text/chat/chat_messages.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/json_text.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/jinja/characters.h"
#include "text/jinja/json_value.h"

namespace emelex {
namespace {

using jinja::Dict;
using jinja::None;
using jinja::Text;
using jinja::Value;

// What follows the last message's text, with a space that shows whether the template strips it.
constexpr std::string_view kEndMark =
    "\xEE\x80\x80"
    "end of what is written"
    "\xEE\x80\x81 ";

constexpr std::array<std::string_view, 3> kReasoningNames = {"reasoning_content", "thinking", "reasoning"};

Value role_value(const std::string& role) {
  static constexpr std::array<std::string_view, 9> kUsual = {
      "system", "user", "assistant", "tool", "developer", "function", "model", "ipython", "observation"};
  const bool usual = std::find(kUsual.begin(), kUsual.end(), role) != kUsual.end();
  return Value(Text(role, !usual));
}

// Templates know what a model thought by one of several names; whichever is given, they find it, as in transformers.
Dict with_reasoning(const Dict& message) {
  const Value* reasoning = nullptr;
  for (const std::string_view name : kReasoningNames) {
    const Value* held = message.find(name);
    if (reasoning == nullptr && held != nullptr && !held->is_none()) reasoning = held;
  }
  if (reasoning == nullptr) return message;
  Dict made;
  made.set(Value("thinking"), *reasoning);
  for (const auto& [key, value] : message.items) made.set(key, value);
  made.set(Value("reasoning_content"), *reasoning);
  return made;
}

[[noreturn]] void fail(std::string_view expected, std::string_view got) {
  throw Error(ErrorCode::invalid_argument, str_cat("[chat] expected ", expected, ", got ", got));
}

}  // namespace

Value message_value(const Message& message) {
  Dict dict;
  const Value more = message.more.empty() ? Value(Dict()) : jinja::value_from_json(message.more, "a message");
  if (more.dict() == nullptr) fail("an object with the rest of a message", more.type_name());
  if (more.dict()->find(std::string_view("role")) == nullptr) dict.set(Value("role"), role_value(message.role));
  if (more.dict()->find(std::string_view("content")) == nullptr)
    dict.set(Value("content"), Value(Text(message.content, true)));
  for (const auto& [key, value] : more.dict()->items) {
    const bool is_role = key.text()->bytes() == "role" && value.text() != nullptr;
    dict.items.emplace_back(key, is_role ? role_value(value.text()->bytes()) : value);
  }
  return Value(with_reasoning(dict));
}

std::vector<Message> messages_from_json(std::string_view json) {
  (void)jinja::value_from_json(json, "the messages");  // its limits and messages
  const auto parsed = valid_ordered_json_of(json);
  if (!parsed.is_array()) fail("a JSON array of messages", parsed.type_name());
  std::vector<Message> messages;
  for (const auto& entry : parsed) {
    if (!entry.is_object()) fail("an object for each message", entry.type_name());
    Message message;
    const auto text = [&entry](const char* key) {
      const auto found = entry.find(key);
      return found != entry.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
    };
    const auto role = text("role");
    if (!role) fail("the text 'role' in each message", "none");
    message.role = *role;
    message.content = text("content").value_or("");
    const bool plain = entry.size() == 2 && text("content") && entry.begin().key() == "role";
    if (!plain) message.more = json_text(entry);
    messages.push_back(std::move(message));
  }
  return messages;
}

std::vector<Message> mark_end(std::vector<Message> messages) {
  if (messages.empty()) fail("a message to go on with", "none");
  Message& last = messages.back();
  if (last.more.empty()) {
    last.content += kEndMark;
    return messages;
  }
  auto more = ordered_json_of(last.more);
  const auto content = more.is_object() ? more.find("content") : more.end();
  if (content == more.end()) {
    last.content += kEndMark;
  } else if (content->is_string()) {
    *content = content->get<std::string>() + std::string(kEndMark);
  } else {
    nlohmann::ordered_json* text = nullptr;
    for (auto& part : *content) {
      if (part.is_object() && part.contains("text") && part["text"].is_string()) text = &part["text"];
    }
    if (text == nullptr) fail("a text to go on with in the last message", "none");
    *text = text->get<std::string>() + std::string(kEndMark);
  }
  last.more = json_text(more);
  return messages;
}

Text cut_at_mark(const Text& rendered) {
  const std::string_view mark = kEndMark.substr(0, kEndMark.size() - 1);
  const size_t place = rendered.bytes().rfind(mark);
  if (place == std::string::npos) fail("a template that keeps the last message", "one that changes it");
  const bool kept = rendered.bytes().compare(place, kEndMark.size(), kEndMark) == 0;
  const Text text = rendered.part(0, place);
  return kept ? text : text.part(0, jinja::strip_range(text.bytes(), nullptr, false, true).end);
}

}  // namespace emelex
