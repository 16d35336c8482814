#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex/regex.h"
#include "text/unicode/characters.h"

namespace emelex {

// What stands before a stretch of text that lies between added tokens.
enum class Before { nothing, control_token, user_defined_token };

// Changes a text before it is cut into words. Immutable; safe to use from any thread.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual std::string apply(std::string text, Before before) const = 0;
};

using NormalizerPtr = std::unique_ptr<const Normalizer>;

// The normalizers of tokenizer.json, https://huggingface.co/docs/tokenizers/api/normalizers

NormalizerPtr make_normalization(NormalizationForm form);
NormalizerPtr make_lowercase();
NormalizerPtr make_strip_accents();
NormalizerPtr make_strip(bool left, bool right);
NormalizerPtr make_prepend(std::string text);
NormalizerPtr make_replace(std::string from, std::string to);
NormalizerPtr make_replace_matches(std::unique_ptr<const Regex> pattern, std::string to);
NormalizerPtr make_nmt();         // that of sentencepiece's translation models: control characters and odd spaces
NormalizerPtr make_byte_level();  // each byte as the character that stands for it
NormalizerPtr make_sequence(std::vector<NormalizerPtr> steps);

// `text` with `to` in place of each `from`.
std::string replaced(std::string text, std::string_view from, std::string_view to);

struct BertOptions {
  bool clean_text = true;  // no control characters, one kind of space
  bool spaces_around_han = true;
  bool strip_accents = true;
  bool lowercase = true;
};
NormalizerPtr make_bert(const BertOptions& options);

}  // namespace emelex
