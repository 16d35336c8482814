#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"
#include "text/byte_level_vocabulary.h"
#include "weights/metadata.h"

namespace emelex {

// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): a word starts as its bytes, and of all neighbours that
// merge, those with the lowest rank merge first, the leftmost first among equals. Immutable; safe to use from any
// thread.
class Bpe {
 public:
  // The merges are tokenizer.ggml.merges. Throws Error(corrupt_file). `vocabulary` must outlive this.
  Bpe(const ByteLevelVocabulary& vocabulary, const Metadata& metadata);

  // Memory that merge() works in; keep it from word to word.
  struct Scratch {
    struct Symbol {
      TokenId id;
      int32_t previous;  // -1: none
      int32_t next;      // -1: none
      uint32_t rank;     // of the merge with `next`, kNoRank if there is none
    };
    std::vector<Symbol> symbols;
    std::vector<uint64_t> queue;  // rank << 32 | symbol
  };

  // Appends the tokens of one word. Bytes that have no token are left out, before merging.
  void merge(std::string_view word, std::vector<TokenId>& ids, Scratch& scratch) const;

 private:
  static constexpr uint32_t kNoRank = UINT32_MAX;

  struct Merge {
    TokenId left = -1;
    TokenId right = -1;
    TokenId product = -1;
    uint32_t rank = kNoRank;
  };

  void read_merges(const ByteLevelVocabulary& vocabulary, const std::vector<std::string>& lines,
                   const std::string& source);
  bool insert(const Merge& merge);
  const Merge& find(TokenId left, TokenId right) const;  // rank is kNoRank when the two don't merge
  size_t slot_of(TokenId left, TokenId right) const;

  void merge_short(TokenId* ids, int n, std::vector<TokenId>& out) const;
  void merge_long(std::string_view word, std::vector<TokenId>& out, Scratch& scratch) const;

  std::array<TokenId, 256> byte_tokens_;
  std::vector<Merge> slots_;  // open addressing; a power of two, at most half full
  uint64_t seed_;
};

}  // namespace emelex
