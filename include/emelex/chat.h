#pragma once

#include <string>
#include <vector>

#include "emelex/tokenizer.h"

namespace emelex {

// One turn of a conversation. `role` is "system", "user" or "assistant".
struct Message {
  std::string role;
  std::string content;
};

// Turns a conversation into the one text that the model was trained on. Immutable; safe to use from any thread.
class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;

  // The prompt's text. With `add_generation_prompt` it ends where the assistant's answer begins.
  // Throws Error(invalid_argument) with the template's own message when it refuses the messages.
  virtual std::string render(const std::vector<Message>& messages, bool add_generation_prompt) const = 0;

  // The same text in pieces, each with who wrote it: the template or a message. For Tokenizer::encode_segments, so that
  // "<|im_end|>" in a message stays text.
  virtual std::vector<Segment> render_segments(const std::vector<Message>& messages, bool add_generation_prompt) const {
    return {Segment{render(messages, add_generation_prompt), false}};
  }
};

}  // namespace emelex
