#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/files/json_members.h"
#include "text/files/tokenizer_source.h"
#include "text/pipeline/pipeline.h"
#include "weights/bounded_json.h"

namespace emelex {

// tokenizer.json in two halves: the vocabulary as arrays, which are large, and the rest as a document, which is small.
// https://huggingface.co/docs/tokenizers/api/tokenizer
struct TokenizerJson {
  std::string source;              // the file
  Json rest;                       // without model.vocab and model.merges
  std::vector<std::string> names;  // of model.vocab
  std::vector<uint64_t> ids;       // of names, where model.vocab is an object
  std::vector<double> scores;      // of names, where it is an array
  bool has_merges = false;
  std::vector<std::string> merges;  // left and right names in turn
};

// Throws Error(corrupt_file).
TokenizerJson read_tokenizer_json(std::string_view text, const std::string& source);

// Adds what the file says to a model's tokenizer: the vocabulary under GGUF's keys, all else as `source.json`. Where
// GGUF has a name for what the file does, under its keys too. `n_rows`: of the model's
// embedding, which has a row for each id; tokens that no text has stand in for missing ones, and ids from there on are
// left out. 0: not known. Throws Error(corrupt_file).
void add_tokenizer_json(TokenizerJson json, int64_t n_rows, TokenizerSource& source);

// The pipeline of a source that has `json`. Throws Error: unsupported for what emelex lacks, by its name; corrupt_file.
Pipeline make_json_tokenizer(const TokenizerSource& source);

}  // namespace emelex
