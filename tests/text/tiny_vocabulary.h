#pragma once

#include <string>
#include <vector>

#include "text/unicode/utf8.h"
#include "weights/metadata.h"

namespace emelex::test {

// How a byte is written in a byte-level vocabulary.
inline std::string byte_name(int byte) {
  std::string name;
  int next = 256;
  for (int b = 0; b <= byte; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
    const int character = printable ? b : next++;
    if (b == byte) append_utf8(name, static_cast<char32_t>(character));
  }
  return name;
}

// A vocabulary to change before a tokenizer is made of it: 256 bytes (ids 0 to 255), the products of a few merges,
// and three tokens of special kinds.
struct TinyVocabulary {
  std::vector<std::string> tokens;
  std::vector<std::string> merges = {"h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "a a", "aa aa"};
  std::vector<int64_t> types;
  std::string pre = "gpt-2";

  static constexpr int kHello = 259;
  static constexpr int kSpaceWor = 262;
  static constexpr int kStart = 265;  // <|im_start|>, control
  static constexpr int kEnd = 266;    // <|im_end|>, control
  static constexpr int kTool = 267;   // <tool>, user-defined

  TinyVocabulary() {
    for (int byte = 0; byte < 256; ++byte) tokens.push_back(byte_name(byte));
    for (const std::string& merge : merges) {
      const size_t space = merge.find(' ');
      tokens.push_back(merge.substr(0, space) + merge.substr(space + 1));
    }
    types.assign(tokens.size(), 1);
    for (const char* name : {"<|im_start|>", "<|im_end|>"}) add(name, 3);
    add("<tool>", 4);
  }

  void add(const std::string& token, int64_t type) {
    tokens.push_back(token);
    types.push_back(type);
  }

  Metadata metadata() const {
    Metadata made("tiny.gguf");
    made.add("tokenizer.ggml.model", std::string("gpt2"));
    made.add("tokenizer.ggml.pre", pre);
    made.add("tokenizer.ggml.tokens", tokens);
    made.add("tokenizer.ggml.merges", merges);
    made.add("tokenizer.ggml.token_type", types);
    made.add("tokenizer.ggml.bos_token_id", int64_t{kStart});
    made.add("tokenizer.ggml.eos_token_id", int64_t{kEnd});
    return made;
  }
};

}  // namespace emelex::test
