#include "emelex/tokenizer.h"

namespace emelex {

std::string Tokenizer::decode(const std::vector<TokenId>& ids, bool show_special) const {
  StreamDecoder decoder(*this, show_special);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

std::vector<TokenId> Tokenizer::encode_segments(std::span<const Segment> segments) const {
  std::vector<TokenId> ids;
  for (const Segment& segment : segments) {
    const auto part = encode(segment.text, segment.from_message ? SpecialTokens::as_text : SpecialTokens::parse);
    ids.insert(ids.end(), part.begin(), part.end());
  }
  return ids;
}

}  // namespace emelex
