#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"
#include "weights/metadata.h"

namespace emelex {

enum class TokenType : uint8_t {  // the numbers of tokenizer.ggml.token_type
  normal = 1,
  unknown = 2,
  control = 3,       // structure: never comes from a user's text
  user_defined = 4,  // added by the model's makers: found in text before anything else
  unused = 5,
  byte = 6,
};

// GPT-2 writes the bytes of a token as printable characters: "Ġ" is a space. Appends the bytes that `text` stands for;
// false, and an unspecified rest, when a character of it stands for none.
bool append_byte_level(std::string_view text, std::string& bytes);

// The tokens of a byte-level vocabulary, by id and by bytes. Immutable.
class ByteLevelVocabulary {
 public:
  // From tokenizer.ggml.tokens and token_type. Throws Error(corrupt_file).
  explicit ByteLevelVocabulary(const Metadata& metadata);

  int size() const { return static_cast<int>(types_.size()); }
  TokenType type(TokenId id) const { return types_[static_cast<size_t>(id)]; }

  // What a token stands for: bytes, or its own name if it is a control or user-defined token.
  std::string_view bytes(TokenId id) const {
    const auto index = static_cast<size_t>(id);
    return std::string_view(bytes_).substr(begins_[index], begins_[index + 1] - begins_[index]);
  }

  // The ordinary token (neither control nor user-defined) of exactly these bytes, or -1.
  TokenId find(std::string_view bytes) const;

 private:
  struct Slot {
    uint32_t tag = 0;  // the upper half of the hash
    TokenId id = -1;
  };

  void add_tokens(const std::vector<std::string>& tokens, const std::string& source);
  void insert(TokenId id, const std::string& source);
  void check_special_names(const std::string& source) const;

  std::vector<TokenType> types_;
  std::string bytes_;             // of all tokens, one after the other
  std::vector<uint32_t> begins_;  // in bytes_, and the end of the last
  std::vector<Slot> slots_;       // open addressing; a power of two, at most half full
  uint64_t seed_;
};

}  // namespace emelex
