#pragma once

#include <string_view>

#include "text/pipeline/pipeline.h"
#include "weights/metadata.h"

namespace emelex {

// Tokenizers as GGUF's metadata describes them (tokenizer.ggml.*), one function for each tokenizer.ggml.model. Each
// throws Error: unsupported for a rule that emelex does not have, corrupt_file for a vocabulary that is missing or
// contradicts itself. Either names the key and the file. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

Pipeline make_gguf_bpe(const Metadata& metadata);            // "gpt2", "gemma4": byte-pair encoding by merges
Pipeline make_gguf_sentencepiece(const Metadata& metadata);  // "llama", "t5": sentencepiece's BPE and unigram
Pipeline make_gguf_wordpiece(const Metadata& metadata);      // "bert"

// Keys of emelex's own, for files that are no GGUF but are read into the same keys.
inline constexpr const char* kSentencePieceKey = "emelex.sentencepiece";    // true: the rules are sentencepiece's own
inline constexpr const char* kSpaceIsSuffixKey = "emelex.space_is_suffix";  // of sentencepiece's
inline constexpr const char* kRanksAreIdsKey = "emelex.ranks_are_ids";      // true: merges go by the order of the ids
inline constexpr const char* kPatternKey = "emelex.split_pattern";          // in place of tokenizer.ggml.pre

inline constexpr const char* kOnlyAddedKey = "emelex.only_added_ids";      // of tokens that the model itself lacks
inline constexpr const char* kTokenizerFileKey = "emelex.tokenizer_file";  // that was read, for messages

// What the three have in common.
std::string tokenizer_source(const Metadata& metadata);
std::unique_ptr<const Vocabulary> read_gguf_vocabulary(const Metadata& metadata, Vocabulary::Alphabet alphabet);
TokenId read_gguf_id(const Metadata& metadata, std::string_view key, const Vocabulary& vocabulary);
std::vector<AddedToken> special_tokens_of(const Vocabulary& vocabulary, const Metadata& metadata);
void read_gguf_ends(const Metadata& metadata, bool adds_bos, Pipeline& parts);

}  // namespace emelex
