#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline/pipeline.h"
#include "weights/bounded_json.h"
#include "weights/metadata.h"

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

// Adds what the file says to a model's metadata: the vocabulary under GGUF's keys, all else as a text under
// kTokenizerJsonKey, for make_json_tokenizer. Where GGUF has a name for what the file does, under its keys too.
// `least_size`: of the vocabulary, which gets tokens that no text has for the missing ones. Throws Error(corrupt_file).
void add_tokenizer_json(TokenizerJson json, int64_t least_size, Metadata& metadata);

inline constexpr const char* kTokenizerJsonKey = "emelex.tokenizer_json";
inline constexpr const char* kMergeNamesKey = "emelex.merge_names";  // in place of tokenizer.ggml.merges

// The pipeline. Throws Error: unsupported for what emelex lacks, by its name; corrupt_file.
Pipeline make_json_tokenizer(const Metadata& metadata);

// A member that is no null; nullptr without.
const Json* find_member(const Json& object, std::string_view key);
bool flag_of(const Json& object, std::string_view key, bool otherwise);
std::string text_of(const Json& object, std::string_view key);

// The steps of a part of the file: those of a Sequence in order, a single one, or none. `list`: what a Sequence calls
// it.
std::vector<const Json*> steps_of(const Json& root, std::string_view part, std::string_view list);

}  // namespace emelex
