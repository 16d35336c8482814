#include "emelex/tokenizer.h"
#include "text/unicode/utf8.h"

namespace emelex {

std::string StreamDecoder::push(TokenId id) {
  pending_ += tokenizer_->decode_next(id, show_special_, at_start_);
  std::string text;
  size_t position = 0;
  while (position < pending_.size()) {
    const Utf8Char character = utf8_at(pending_, position);
    if (character.kind == Utf8Char::Kind::incomplete) break;
    if (character.kind == Utf8Char::Kind::valid) {
      text.append(pending_, position, character.length);
    } else {
      text += kReplacementCharacter;
    }
    position += character.length;
  }
  pending_.erase(0, position);
  return text;
}

std::string StreamDecoder::finish() {
  // push() leaves only the beginning of one character.
  std::string text;
  if (!pending_.empty()) text = kReplacementCharacter;
  pending_.clear();
  return text;
}

}  // namespace emelex
