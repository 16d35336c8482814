#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

class Regex;

// How a family of models cuts text into words before BPE merges within each. The rules are those of the models' own
// tokenizer.json files; GGUF names them in tokenizer.ggml.pre.
struct PreTokenizerRule {
  std::vector<std::string_view> names;     // in tokenizer.ggml.pre
  std::vector<std::string_view> patterns;  // each cuts the pieces of the one before; what none matches is a piece too
  bool nfc = false;                        // text is brought to Unicode's composed form first
  bool whole_words = false;                // a word that is in the vocabulary is its token, whatever the merges say
  bool adds_bos = false;                   // when the file does not say
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

// How tokenizer.json says a rule.
PreTokenizerParts parts_of(const PreTokenizerRule& rule);

// Cuts text into words. Immutable; safe to use from any thread.
class PreTokenizer {
 public:
  // The rule of that name. Throws Error(unsupported), with the names known and `source`, when there is none.
  explicit PreTokenizer(std::string_view name, const std::string& source);
  ~PreTokenizer();
  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;

  const PreTokenizerRule& rule() const { return *rule_; }

  // Appends the words of `text`, which must be valid UTF-8. They are parts of it, in order, and leave nothing out.
  void split(std::string_view text, std::vector<std::string_view>& words) const;

 private:
  const PreTokenizerRule* rule_;
  std::vector<std::unique_ptr<Regex>> stages_;
};

// `text` in Unicode's normalization form C; bytes that are not valid UTF-8 stay as they are.
std::string to_nfc(std::string_view text);

}  // namespace emelex
