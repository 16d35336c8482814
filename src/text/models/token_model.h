#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"

namespace emelex {

// Memory that models work in; keep it from word to word.
struct ModelScratch {
  struct Symbol {
    TokenId id;
    uint32_t begin;    // in the word
    int32_t previous;  // -1: none
    int32_t next;      // -1: none
    uint32_t rank;     // of the merge with `next`
  };
  std::vector<Symbol> symbols;
  std::vector<uint64_t> queue;  // rank << 32 | symbol

  struct Node {  // the best way to a place in the word
    double score;
    uint32_t begin;  // of its last token
    TokenId id;
  };
  std::vector<Node> nodes;  // one for each place

  // Work done so far, by which tests see that it grows in proportion to a text.
  uint64_t steps = 0;
};

// How a word becomes tokens. Immutable; safe to use from any thread.
class TokenModel {
 public:
  virtual ~TokenModel() = default;

  // Appends the tokens of one word.
  virtual void encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const = 0;
};

// What becomes of a character that has no token: its bytes' tokens where the vocabulary has all of them, else the
// unknown token, else nothing.
struct UnknownRule {
  TokenId unknown = -1;              // -1: none
  bool fuse = false;                 // one for a run of such characters
  std::vector<TokenId> byte_tokens;  // 256, or empty: no fallback to bytes

  // Whether the tokens of all bytes of `text` were appended.
  bool append_bytes(std::string_view text, std::vector<TokenId>& ids) const {
    if (byte_tokens.empty()) return false;
    const size_t before = ids.size();
    for (const char byte : text) {
      const TokenId id = byte_tokens[static_cast<unsigned char>(byte)];
      if (id < 0) {
        ids.resize(before);
        return false;
      }
      ids.push_back(id);
    }
    return true;
  }
};

}  // namespace emelex
