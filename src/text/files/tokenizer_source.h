#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "emelex/error.h"
#include "emelex/tokenizer.h"
#include "weights/metadata.h"

namespace emelex {

struct TokenizerJson;

// Which tokens end a turn, as a model's files say it.
struct TurnEnds {
  std::vector<int64_t> ids;  // of all files together; ids beyond the vocabulary are among them
  bool complete = false;     // the files list them; else tokens that are known by their names end a turn, too
};

// What a model's files say about its tokenizer, for make_tokenizer. The vocabulary has GGUF's names whatever the format
// was. What GGUF has no key for are typed fields, which emelex's own readers alone set: no file can forge them.
struct TokenizerSource {
  // `where`: the file or folder, for messages.
  explicit TokenizerSource(std::string where = {}) : own(std::move(where)) {}
  explicit TokenizerSource(std::shared_ptr<const Metadata> gguf) : shared(std::move(gguf)) {}

  // tokenizer.ggml.*, and all else that a GGUF file has.
  const Metadata& keys() const { return shared ? *shared : own; }
  // The file that was read, for messages.
  const std::string& where() const { return file.empty() ? keys().source() : file; }

  std::shared_ptr<const Metadata> shared;  // a GGUF file's metadata; nullptr: `own` has the keys
  Metadata own;
  std::string file;  // the tokenizer's own file; empty: keys().source()

  bool is_sentencepiece = false;              // the rules are sentencepiece's own, not llama.cpp's
  bool space_is_suffix = false;               // of sentencepiece's
  bool ranks_are_ids = false;                 // merges go by the order of the ids
  std::optional<std::string> split_pattern;   // in place of tokenizer.ggml.pre
  std::vector<std::string> merge_names;       // left and right in turn; in place of tokenizer.ggml.merges
  std::vector<TokenId> only_added;            // tokens that the model's own vocabulary lacks
  std::shared_ptr<const TokenizerJson> json;  // a tokenizer.json without vocabulary and merges; nullptr: another file

  TurnEnds ends;
  std::vector<std::string> warnings;  // what was left out of the files and why, a line each
  std::optional<Error> problem;       // why no tokenizer can be made; make_tokenizer throws it
};

}  // namespace emelex
