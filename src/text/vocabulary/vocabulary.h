#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"
#include "text/vocabulary/byte_alphabet.h"

namespace emelex {

enum class TokenType : uint8_t {  // the numbers of tokenizer.ggml.token_type
  normal = 1,
  unknown = 2,       // stands for what has no token
  control = 3,       // structure: never comes from a user's text
  user_defined = 4,  // added by the model's makers: found in text before anything else
  unused = 5,
  byte = 6,  // "<0x0A>": a byte of a character that has no token
};

// Where a vocabulary was read, for messages.
struct TokenSource {
  std::string key;   // "tokenizer.ggml.tokens"
  std::string file;  // its path
};

// The tokens of a model, by id and by text. Immutable.
class Vocabulary {
 public:
  // In which alphabet the file writes ordinary tokens: as they are, or as GPT-2 writes bytes.
  enum class Alphabet { characters, bytes };

  // `only_added`: user-defined tokens that the model itself lacks. Throws Error(corrupt_file).
  Vocabulary(const std::vector<std::string>& tokens, std::vector<TokenType> types, Alphabet alphabet,
             TokenSource source, const std::vector<TokenId>& only_added = {});

  int size() const { return static_cast<int>(types_.size()); }
  TokenType type(TokenId id) const { return types_[static_cast<size_t>(id)]; }
  Alphabet alphabet() const { return alphabet_; }
  const TokenSource& source() const { return source_; }
  size_t longest() const { return longest_; }  // bytes of the longest ordinary token

  // A token's text: its name, or the bytes that an ordinary name stands for where those are the alphabet.
  std::string_view text(TokenId id) const {
    const auto index = static_cast<size_t>(id);
    return std::string_view(bytes_).substr(begins_[index], begins_[index + 1] - begins_[index]);
  }

  // The ordinary token of exactly this text, or -1. No control, user-defined, unknown or byte token is ever found.
  TokenId find(std::string_view text) const { return ordinary_.find(text, *this); }

  // The same, and the model's user-defined tokens too: what merges may be made of.
  TokenId find_mergeable(std::string_view text) const {
    const TokenId id = find(text);
    return id >= 0 ? id : user_defined_.find(text, *this);
  }

  // The token of that name, whatever its type, or -1. Slow: for what a file names.
  TokenId find_name(std::string_view name) const;

  // The tokens of single bytes, "<0x00>" to "<0xFF>"; -1 for those that the vocabulary lacks.
  std::vector<TokenId> byte_tokens() const;

 private:
  // Open addressing; a power of two, at most half full.
  class Table {
   public:
    void reserve(size_t n_tokens);
    TokenId insert(TokenId id, const Vocabulary& vocabulary);  // the token that had its place; else -1
    TokenId find(std::string_view text, const Vocabulary& vocabulary) const;

   private:
    struct Slot {
      uint32_t tag = 0;  // the upper half of the hash
      TokenId id = -1;
    };
    std::vector<Slot> slots_;
    uint64_t seed_ = 0;
  };

  void add_tokens(const std::vector<std::string>& tokens);
  void add(TokenId id, std::string_view token);
  void check_special_names() const;
  [[noreturn]] void fail_twice(TokenId a, TokenId b) const;

  std::vector<TokenType> types_;
  Alphabet alphabet_;
  TokenSource source_;
  std::string bytes_;             // of all tokens, one after the other
  std::vector<uint32_t> begins_;  // in bytes_, and the end of the last
  size_t longest_ = 0;
  std::vector<bool> only_added_;  // by id; only while tokens are added
  Table ordinary_;
  Table user_defined_;
};

// The byte of a name such as "<0x0A>", or -1.
int byte_of_name(std::string_view name);

}  // namespace emelex
