#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

using TokenId = int32_t;

// Whether text such as "<|im_end|>" becomes the control token of that name. Text that comes from a user must not.
enum class SpecialTokens { as_text, parse };

// Text to token ids and back, as the model was trained. Immutable after construction, so safe to use from any number
// of threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of `text` (UTF-8; bytes that are not valid UTF-8 are encoded as bytes, never dropped). No begin-of-sequence
  // token is added: see bos() and adds_bos().
  virtual std::vector<TokenId> encode(std::string_view text, SpecialTokens special) const = 0;

  // The bytes that `id` stands for. They may be a part of a character; StreamDecoder joins them. Control tokens give
  // nothing, unless `show_special`. Throws Error(invalid_argument) when `id` is not in the vocabulary.
  virtual std::string decode_token(TokenId id, bool show_special = false) const = 0;

  virtual int vocab_size() const = 0;
  virtual TokenId bos() const = 0;           // -1: the model has none
  virtual TokenId eos() const = 0;           // -1: the model has none
  virtual bool adds_bos() const = 0;         // whether a raw prompt starts with bos()
  virtual bool is_end(TokenId id) const = 0;  // whether `id` ends a generation (eos, end of turn, …)

  // Text of a whole sequence of ids.
  std::string decode(const std::vector<TokenId>& ids, bool show_special = false) const;
};

// Joins the bytes of successive tokens into text that never breaks a character: what it returns is always whole UTF-8
// characters, and what it has returned never changes. One per generation; not thread-safe.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool show_special = false)
      : tokenizer_(&tokenizer), show_special_(show_special) {}

  // The text that is complete once `id` has been added; empty while a character is unfinished.
  std::string push(TokenId id);

  // What is left at the end: an unfinished character becomes U+FFFD, as a whole.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool show_special_;
  std::string pending_;  // the bytes of an unfinished character
};

}  // namespace emelex
