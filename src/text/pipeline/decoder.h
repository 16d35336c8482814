#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// How the name of a token becomes the text that it stands for, one token at a time: the decoders of tokenizer.json as
// far as they need no look ahead, https://huggingface.co/docs/tokenizers/api/decoders. Immutable.
class Decoder {
 public:
  // What a text's first token loses: spaces that encoding put there.
  enum class First {
    nothing,
    one_space,
    one_space_each,  // and so does the next, while there is no text
    all_spaces,
  };

  struct Step {
    enum class Kind {
      byte_level,     // characters that stand for bytes
      byte_fallback,  // "<0x0A>" is a byte
      replace,        // `from` by `to`
      strip,          // up to `left` and `right` times `from` at the ends
      word_piece,     // `from` joins a token to the one before; others but the first have a space before them
      clean_up,       // no space before punctuation and English contractions
      space_before,   // a space before each token but the first
    };
    Kind kind;
    std::string from;
    std::string to;
    size_t left = 0;
    size_t right = 0;
  };

  Decoder() = default;
  explicit Decoder(std::vector<Step> steps, First first = First::nothing) : steps_(std::move(steps)), first_(first) {}

  // `is_first`: nothing of the text is before this token.
  std::string decode(std::string_view name, bool is_first) const;

  // Whether the token after a first one of this text is a first one, too.
  bool stays_first(std::string_view text) const { return first_ == First::one_space_each && text.empty(); }

 private:
  std::vector<Step> steps_;
  First first_ = First::nothing;
};

}  // namespace emelex
