#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

using TokenId = int32_t;

// Whether text such as "<|im_end|>" becomes the control token of that name. Text that comes from a user must not.
enum class SpecialTokens { as_text, parse };

// A stretch of a prompt. What comes from a message never becomes a control token, whatever it looks like.
struct Segment {
  std::string text;
  bool from_message = false;  // written by a user, not by the template

  bool operator==(const Segment&) const = default;
};

// Text to token ids and back, as the model was trained. Immutable after construction, so safe to use from any number
// of threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of `text` (UTF-8). Bytes that are not valid UTF-8 are encoded as bytes where the vocabulary is one of
  // bytes; in others, sentencepiece's for one, each becomes U+FFFD, as there. A byte that a vocabulary of bytes has no
  // token for is left out, as in Hugging Face's tokenizers: SmolLM2's lacks 13 that no valid UTF-8 has, six control
  // characters and two lead bytes of unassigned planes. No begin-of-sequence token is added: see bos() and adds_bos().
  // Throws Error(invalid_argument) when `text` has 2 GiB or more.
  virtual std::vector<TokenId> encode(std::string_view text, SpecialTokens special) const = 0;

  // The ids of the segments' concatenation, where control tokens are found only within what the template wrote.
  // Otherwise the same as encode(concatenation, parse): a border between segments is no border between words.
  virtual std::vector<TokenId> encode_segments(std::span<const Segment> segments) const;

  // The bytes that `id` stands for. They may be a part of a character; StreamDecoder joins them. Control tokens give
  // nothing, unless `show_special`; those that mark reasoning ("[THINK]", "<|channel|>") always give their names, so
  // that reasoning and answer can be told apart. Throws Error(invalid_argument) when `id` is not in the vocabulary.
  virtual std::string decode_token(TokenId id, bool show_special = false) const = 0;

  // The same for the next token of a text. `at_start` says that the text has no token yet: its first loses the space
  // that encoding puts before a text, where the model's kind has that. Set to false once that is settled.
  virtual std::string decode_next(TokenId id, bool show_special, bool& at_start) const {
    at_start = false;
    return decode_token(id, show_special);
  }

  virtual int vocab_size() const = 0;
  virtual TokenId bos() const = 0;            // -1: the model has none
  virtual TokenId eos() const = 0;            // -1: the model has none
  virtual bool adds_bos() const = 0;          // whether a raw prompt starts with bos()
  virtual bool is_end(TokenId id) const = 0;  // whether `id` ends a generation (eos, end of turn, …)

  // What in the files was left out or looks wrong, a line each, for people. Text may be the files' own.
  virtual std::vector<std::string> warnings() const { return {}; }

  // Text of a whole sequence of ids: valid UTF-8, with U+FFFD for what is not.
  std::string decode(const std::vector<TokenId>& ids, bool show_special = false) const;
};

// The tokenizer of a model's files, without its weights: a .gguf file, a folder with tokenizer.json, or that file.
// Throws Error: not_found, io, corrupt_file or unsupported, naming the file.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

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
  bool at_start_ = true;
  std::string pending_;  // the bytes of an unfinished character
};

}  // namespace emelex
