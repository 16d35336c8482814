#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"

namespace emelex {

// One turn of a conversation. `role` is "system", "user", "assistant", "tool" or another that the model's template
// knows.
struct Message {
  std::string role;
  std::string content;

  // Further keys of the message, as a JSON object; empty: none. Examples are "tool_calls", "tool_call_id", "name" and
  // "reasoning_content", as in OpenAI's API and in transformers. A "content" in it replaces the one above. It may be
  // null, or parts such as [{"type": "text", "text": "…"}, {"type": "image"}].
  std::string more;

  bool operator==(const Message&) const = default;
};

// The messages of a JSON array of objects, [{"role": "user", "content": "…"}, …], with all of their keys. Throws
// Error(invalid_argument) when `json` is something else.
std::vector<Message> messages_from_json(std::string_view json);

// What a template is given beside the messages.
struct ChatOptions {
  bool add_generation_prompt = true;    // the text ends where the assistant's answer begins
  bool continue_final_message = false;  // the text ends within the last message, for the model to go on with it
  std::string tools;                    // a JSON array of functions with their schemas; empty: none
  std::string documents;                // a JSON array of {"title": …, "text": …}; empty: none
  std::string variables;                // a JSON object of more, such as {"enable_thinking": false}; empty: none
  std::string template_name;            // one of ChatTemplate::names(); empty: "tool_use" with tools, else the default
};

// Turns a conversation into text of the form that the model was trained on. Immutable. Any thread may use it.
class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;

  // The names of the model's templates: "default", and perhaps "tool_use", "rag" and others.
  virtual std::vector<std::string> names() const = 0;

  // The family of the built-in template ("chatml", "llama-3", …, "plain"), where the model has no template of its own.
  // Empty: it has one.
  virtual std::string_view built_in() const = 0;

  // The prompt's text in pieces. Each says whether the template wrote it, or a message, a tool or a document. They are
  // for Tokenizer::encode_segments, so that "<|im_end|>" in a message stays text. Throws Error:
  //   invalid_argument: the template refuses the messages (its own message is in the text), or an option is not JSON;
  //   corrupt_file, unsupported: the template can't be read (line and column are in the text).
  virtual std::vector<Segment> render_segments(const std::vector<Message>& messages,
                                               const ChatOptions& options = {}) const = 0;

  // The segments joined to one text.
  std::string render(const std::vector<Message>& messages, const ChatOptions& options = {}) const;
};

// Loads the chat template of a model without its weights. `path` is a .gguf file, or a folder with
// tokenizer_config.json, chat_template.jinja or the like. Throws Error: not_found, io, corrupt_file or unsupported,
// naming the file.
std::unique_ptr<ChatTemplate> load_chat_template(const std::filesystem::path& path);

}  // namespace emelex
