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

// Whether text such as "<|im_end|>" becomes the control token of that name. Text of a user must not become one.
enum class SpecialTokens { as_text, parse };

// A piece of a prompt. Text of a message never becomes a control token.
struct Segment {
  std::string text;
  bool from_message = false;  // written by a user, not by the template

  bool operator==(const Segment&) const = default;
};

// Converts text to token ids and back, as in the model's training. Immutable. Any number of threads may use it at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of `text` (UTF-8). No begin-of-sequence token is added: see bos() and adds_bos(). A byte-level vocabulary
  // encodes invalid UTF-8 byte by byte. It leaves out a byte that it has no token for, as Hugging Face's tokenizers do
  // (SmolLM2's lacks 13 bytes that no valid UTF-8 has, six control characters and two lead bytes of unassigned planes).
  // With other vocabularies, such as sentencepiece's, each invalid byte becomes U+FFFD. Throws Error(invalid_argument)
  // when `text` has 2 GiB or more.
  virtual std::vector<TokenId> encode(std::string_view text, SpecialTokens special) const = 0;

  // The ids of the segments' concatenation. Control tokens are found only in what the template wrote. Everything else
  // is as with encode(concatenation, parse): a border between segments is no border between words.
  virtual std::vector<TokenId> encode_segments(std::span<const Segment> segments) const;

  // The bytes of a token. They may be a part of a character. StreamDecoder joins them. Control tokens have no bytes
  // unless `show_special`. Those that mark reasoning ("[THINK]", "<|channel|>") always give their names, so that
  // reasoning and answer can be told apart. Throws Error(invalid_argument) when `id` is not in the vocabulary.
  virtual std::string decode_token(TokenId id, bool show_special = false) const = 0;

  // The same for the next token of a text. Some kinds of tokenizers put a space before a text that they encode. While
  // `at_start` is true, that space is removed. Becomes false once that is done.
  virtual std::string decode_next(TokenId id, bool show_special, bool& at_start) const {
    at_start = false;
    return decode_token(id, show_special);
  }

  virtual int vocab_size() const = 0;
  virtual TokenId bos() const = 0;            // -1: the model has none
  virtual TokenId eos() const = 0;            // -1: the model has none
  virtual bool adds_bos() const = 0;          // whether a raw prompt starts with bos()
  virtual bool is_end(TokenId id) const = 0;  // whether `id` ends a generation (eos, end of turn, …)

  // What was left out of the files or looks wrong in them, a line each, for people. Lines may quote the files.
  virtual std::vector<std::string> warnings() const { return {}; }

  // The text of a whole sequence of ids. It is valid UTF-8; invalid bytes become U+FFFD.
  std::string decode(const std::vector<TokenId>& ids, bool show_special = false) const;
};

// Loads the tokenizer of a model without its weights. `path` is a .gguf file, a folder with tokenizer.json, or that
// file. Throws Error: not_found, io, corrupt_file or unsupported, naming the file.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

// Joins the bytes of successive tokens into text. It returns whole UTF-8 characters. Text that it has returned never
// changes. Each generation needs one of its own. Not thread-safe.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool show_special = false)
      : tokenizer_(&tokenizer), show_special_(show_special) {}

  // Adds a token. Returns the text that is complete now: empty while a character is unfinished.
  std::string push(TokenId id);

  // Ends the text. Returns what is left: U+FFFD for an unfinished character, else nothing.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool show_special_;
  bool at_start_ = true;
  std::string pending_;  // the bytes of an unfinished character
};

}  // namespace emelex
