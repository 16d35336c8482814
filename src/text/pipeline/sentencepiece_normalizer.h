#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/pipeline/charsmap.h"
#include "text/pipeline/normalizer.h"

namespace emelex {

// What sentencepiece does to a text before it looks for tokens. Bytes that are not valid UTF-8 become U+FFFD, as there.
struct SentencePieceOptions {
  enum class Prefix {
    never,
    after_control,  // at the beginning of a text, and after a control token
    after_token,    // and after any token that is found by its name, too
    always,
  };
  std::shared_ptr<const Charsmap> charsmap;  // may be null
  std::vector<std::string> verbatim;         // user-defined symbols, which stay as they are
  Prefix prefix = Prefix::after_control;     // where a space is put before the text
  bool remove_extra_spaces = false;          // none at the ends, one between words
  bool space_is_suffix = false;              // the space goes behind
};

inline constexpr char kSpaceMark[] = "\u2581";  // "▁", which stands for a space in tokens

NormalizerPtr make_sentencepiece_normalizer(SentencePieceOptions options);

// The same rules as Hugging Face's "Precompiled" applies them: to what looks like one character to a reader, else to
// each code point.
NormalizerPtr make_precompiled(std::shared_ptr<const Charsmap> charsmap);

}  // namespace emelex
