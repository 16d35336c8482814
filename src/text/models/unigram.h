#pragma once

#include "text/models/token_model.h"
#include "text/vocabulary/prefix_tree.h"
#include "text/vocabulary/vocabulary.h"

namespace emelex {

// A unigram language model (Kudo 2018, arXiv:1804.10959): of all ways to cut a word into tokens, the one whose scores
// add up to most.
class Unigram final : public TokenModel {
 public:
  struct Options {
    UnknownRule unknown;
    // Sentencepiece adds scores up in single precision, and counts anew where they get large; both decide between ways
    // that are almost the same.
    bool single_precision = false;
  };

  // Tokens without a score (NaN) are never used. `vocabulary` need not outlive this.
  Unigram(const Vocabulary& vocabulary, std::vector<double> scores, double unknown_score, Options options);

  void encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const override;

 private:
  PrefixTree tree_;
  std::vector<double> scores_;
  double unknown_score_;
  Options options_;
};

}  // namespace emelex
