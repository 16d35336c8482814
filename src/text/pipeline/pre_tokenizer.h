#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex/regex.h"

namespace emelex {

// The words of a text so far: views of it, or of strings made on the way.
struct Words {
  std::vector<std::string_view> views;
  bool at_start = false;  // whether the first word begins where the whole text does
};

// Strings that words are views of; they stay where they are.
using Arena = std::deque<std::string>;

// Cuts text into words, which the model then takes one by one. Immutable; safe to use from any thread.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // Appends the words that `word`, valid UTF-8, becomes. `at_start`: see Words.
  virtual void split(std::string_view word, bool at_start, std::vector<std::string_view>& words,
                     Arena& arena) const = 0;

  // The same for a list of words.
  void split_all(Words& words, Arena& arena) const;
};

using PreTokenizerPtr = std::unique_ptr<const PreTokenizer>;

// The pre-tokenizers of tokenizer.json, https://huggingface.co/docs/tokenizers/api/pre-tokenizers

// What becomes of the matches of a pattern.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
PreTokenizerPtr make_split(std::unique_ptr<const Regex> pattern, SplitBehavior behavior, bool invert);
PreTokenizerPtr make_split(std::string_view pattern, SplitBehavior behavior);  // a pattern of emelex's own

// Sentencepiece's: spaces become `mark`, one more is put before, and words begin with them.
enum class PrependScheme { always, first, never };
PreTokenizerPtr make_metaspace(std::string mark, PrependScheme scheme, bool split);

PreTokenizerPtr make_space_prefix();     // one space before each word that has none
PreTokenizerPtr make_byte_characters();  // each byte as the character that stands for it

// Cuts before each mark, but after these characters and other marks, where a token may have one inside.
PreTokenizerPtr make_mark_cut(std::string mark, std::vector<std::string> kept_after);

// BERT's words: what white space parts, and each punctuation mark.
PreTokenizerPtr make_bert_words();

PreTokenizerPtr make_sequence(std::vector<PreTokenizerPtr> steps);

// GPT-2's way to cut (ByteLevel in tokenizer.json).
extern const std::string_view kGpt2Pattern;

}  // namespace emelex
