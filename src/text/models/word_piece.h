#pragma once

#include <string>

#include "text/models/token_model.h"
#include "text/vocabulary/vocabulary.h"

namespace emelex {

// BERT's way: the longest token that a word begins with, then the longest that the rest begins with, and so on. A word
// for which that fails is unknown as a whole.
class WordPiece final : public TokenModel {
 public:
  struct Options {
    TokenId unknown = -1;
    std::string first_prefix;           // before a word: "▁" in GGUF files
    std::string next_prefix;            // before each rest of a word: "##"
    size_t most_characters = SIZE_MAX;  // a longer word is unknown
  };

  // `vocabulary` must outlive this.
  WordPiece(const Vocabulary& vocabulary, Options options);

  void encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const override;

 private:
  // The longest token of `prefix` and a beginning of `rest`, and how much of `rest` it takes.
  struct Piece {
    TokenId id;
    size_t size;
  };
  Piece longest(std::string_view prefix, std::string_view rest) const;

  const Vocabulary& vocabulary_;
  Options options_;
};

// A model in which each word is a token, or unknown.
class WordLevel final : public TokenModel {
 public:
  // `vocabulary` must outlive this.
  WordLevel(const Vocabulary& vocabulary, TokenId unknown) : vocabulary_(vocabulary), unknown_(unknown) {}

  void encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const override;

 private:
  const Vocabulary& vocabulary_;
  TokenId unknown_;
};

}  // namespace emelex
