#pragma once

#include <memory>
#include <string>
#include <vector>

#include "emelex/tokenizer.h"
#include "text/pipeline/pipeline.h"

namespace emelex {

// The one tokenizer: whatever its parts are. Of control tokens it makes only those that it finds by name where they are
// allowed, and never the parts; the token for what is unknown excepted.
class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(Pipeline pipeline);

  std::vector<TokenId> encode(std::string_view text, SpecialTokens special) const override;
  std::vector<TokenId> encode_segments(std::span<const Segment> segments) const override;
  std::string decode_token(TokenId id, bool show_special) const override;
  std::string decode_next(TokenId id, bool show_special, bool& at_start) const override;
  int vocab_size() const override { return parts_.vocabulary->size(); }
  TokenId bos() const override { return parts_.bos; }
  TokenId eos() const override { return parts_.eos; }
  bool adds_bos() const override { return parts_.adds_bos; }
  bool is_end(TokenId id) const override;
  std::vector<std::string> warnings() const override { return parts_.warnings; }

 private:
  bool is_hidden(TokenId id) const;
  std::string decode(TokenId id, bool show_special, bool is_first) const;

  Pipeline parts_;
  std::vector<bool> ends_;  // by id
};

}  // namespace emelex
