#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/models/token_model.h"
#include "text/vocabulary/vocabulary.h"

namespace emelex {

// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): a word starts as its bytes or characters, and of all
// neighbours that merge, those with the lowest rank merge first, the leftmost first among equals.
class Bpe final : public TokenModel {
 public:
  // Two tokens that merge, by their names in the file's alphabet.
  struct MergeNames {
    std::string_view left;
    std::string_view right;
  };

  struct Options {
    bool whole_words = false;   // a word that is a token stays whole, whatever the merges say
    char whole_run = 0;         // so does a run of this character alone; 0: none
    bool parts_unused = false;  // an unused token that came of a merge is taken apart again, as sentencepiece does
    UnknownRule unknown;
  };

  // `vocabulary` must outlive this. The rank of a merge is its place in the list. Throws Error(corrupt_file).
  Bpe(const Vocabulary& vocabulary, const std::vector<MergeNames>& merges, Options options,
      const TokenSource& merge_source);

  // Any two that make a token merge, and the token's number here is the rank (one for each token).
  Bpe(const Vocabulary& vocabulary, std::vector<uint32_t> ranks, Options options);

  void encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const override;

 private:
  static constexpr uint32_t kNoRank = UINT32_MAX;

  struct Merge {
    TokenId left = -1;
    TokenId right = -1;
    TokenId product = -1;
    uint32_t rank = kNoRank;
  };

  // Of unused tokens that neighbours could make: the bytes of the left one, of those that were looked at last.
  using LeftParts = std::unordered_map<TokenId, uint32_t>;

  // How it is known which neighbours merge: from a list, or from the vocabulary.
  struct ByList;
  struct ByText;

  Bpe(const Vocabulary& vocabulary, Options options);

  void read_merges(const std::vector<MergeNames>& merges, const TokenSource& source);
  void pair_tokens();
  bool insert(const Merge& merge);
  const Merge& find(TokenId left, TokenId right) const;  // rank is kNoRank when the two don't merge
  size_t slot_of(TokenId left, TokenId right) const;

  template <class Symbols>
  void start(std::string_view word, Symbols& symbols) const;
  TokenId start_symbol(std::string_view symbol) const;

  template <class Pairs>
  void merge(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const;
  template <class Pairs>
  void merge_short(std::string_view word, std::vector<TokenId>& ids) const;
  template <class Pairs>
  void merge_long(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const;
  void put(TokenId id, std::string_view text, bool& after_unknown, std::vector<TokenId>& ids) const;
  bool is_unused(TokenId id) const { return id >= 0 && vocabulary_.type(id) == TokenType::unused; }
  void put_parts(TokenId id, std::string_view text, const LeftParts& left_parts, bool& after_unknown,
                 std::vector<TokenId>& ids) const;

  const Vocabulary& vocabulary_;
  Options options_;
  bool by_bytes_;  // words start as bytes
  std::array<TokenId, 256> byte_tokens_;
  std::vector<Merge> slots_;  // open addressing; a power of two, at most half full
  std::vector<uint32_t>
      ranks_;  // by product, where any two that make a token merge: slots_ has all pairs then, or none
  uint64_t seed_;
};

}  // namespace emelex
