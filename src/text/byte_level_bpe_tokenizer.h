#pragma once

#include <memory>
#include <string>
#include <vector>

#include "emelex/tokenizer.h"
#include "text/bpe.h"
#include "text/byte_level_vocabulary.h"
#include "text/pre_tokenizer.h"
#include "text/special_tokens.h"
#include "weights/metadata.h"

namespace emelex {

// GPT-2's kind of tokenizer (tokenizer.ggml.model "gpt2"), which most models since have: text is cut into words by
// regular expressions, and the bytes of each word are merged. Bytes that are not valid UTF-8 make words of their own.
class ByteLevelBpeTokenizer final : public Tokenizer {
 public:
  explicit ByteLevelBpeTokenizer(const Metadata& metadata);
  ByteLevelBpeTokenizer(const ByteLevelBpeTokenizer&) = delete;
  ByteLevelBpeTokenizer& operator=(const ByteLevelBpeTokenizer&) = delete;

  std::vector<TokenId> encode(std::string_view text, SpecialTokens special) const override;
  std::vector<TokenId> encode_segments(std::span<const Segment> segments) const override;
  std::string decode_token(TokenId id, bool show_special) const override;
  int vocab_size() const override { return vocabulary_.size(); }
  TokenId bos() const override { return bos_; }
  TokenId eos() const override { return eos_; }
  bool adds_bos() const override { return adds_bos_; }
  bool is_end(TokenId id) const override;

 private:
  class Run;  // one call of encode

  TokenId read_id(const Metadata& metadata, std::string_view key) const;
  void find_end_tokens(const Metadata& metadata);

  ByteLevelVocabulary vocabulary_;
  PreTokenizer pre_tokenizer_;
  Bpe bpe_;
  SpecialTokenFinder specials_;
  TokenId bos_ = -1;
  TokenId eos_ = -1;
  bool adds_bos_ = false;
  std::vector<bool> ends_;  // by id
};

std::unique_ptr<Tokenizer> make_byte_level_bpe_tokenizer(const Metadata& metadata);

}  // namespace emelex
