#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline/normalizer.h"
#include "text/pipeline/pre_tokenizer.h"

namespace emelex {

// How a family of models cuts text into words before BPE merges within each. The rules are those of the models' own
// tokenizer.json files; GGUF names them in tokenizer.ggml.pre.
struct PreTokenizerRule {
  std::vector<std::string_view> names;     // in tokenizer.ggml.pre
  std::vector<std::string_view> patterns;  // each cuts the pieces of the one before; what none matches is a piece too
  bool nfc = false;                        // text is brought to Unicode's composed form first
  bool whole_words = false;                // a word that is in the vocabulary is its token, whatever the merges say
  bool adds_bos = false;                   // when the file does not say
  bool always_adds_bos = false;            // whatever the file says: llama.cpp#21500
  bool marks_spaces = false;  // tokens are written in characters with "▁" for a space, and bytes as "<0x0A>"
};

// What a tokenizer.json says of the same.
struct PreTokenizerParts {
  bool digits = false;  // each digit on its own, first
  std::vector<std::string> patterns;
  bool gpt2 = false;  // GPT-2's pattern after them
  bool nfc = false;
  bool whole_words = false;

  bool operator==(const PreTokenizerParts&) const = default;
};

// The name of the rule that does just that; empty when there is none.
std::string_view pre_tokenizer_named_by(const PreTokenizerParts& parts);

// The rule of a name, or nullptr.
const PreTokenizerRule* find_pre_tokenizer_rule(std::string_view name);

// The same; throws Error(unsupported), with the names known and `source`, when there is none.
const PreTokenizerRule& require_pre_tokenizer_rule(std::string_view name, const std::string& source);

// How tokenizer.json says a rule.
PreTokenizerParts parts_of(const PreTokenizerRule& rule);

// The parts that a rule is made of. The normalizer is null when it changes nothing.
PreTokenizerPtr make_pre_tokenizer(const PreTokenizerRule& rule);
NormalizerPtr make_normalizer(const PreTokenizerRule& rule);

}  // namespace emelex
