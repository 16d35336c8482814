#pragma once

#include <string_view>

#include "text/files/tokenizer_source.h"
#include "text/pipeline/pipeline.h"

namespace emelex {

// Tokenizers as GGUF's metadata describes them (tokenizer.ggml.*), one function for each tokenizer.ggml.model. Each
// throws Error: unsupported for a rule that emelex does not have, corrupt_file for a vocabulary that is missing or
// contradicts itself. Either names the key and the file. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

Pipeline make_gguf_bpe(const TokenizerSource& source);            // "gpt2", "gemma4": byte-pair encoding by merges
Pipeline make_gguf_sentencepiece(const TokenizerSource& source);  // "llama", "t5": sentencepiece's BPE and unigram
Pipeline make_gguf_wordpiece(const TokenizerSource& source);      // "bert"

// What a GGUF file's keys say of its tokenizer; the keys stay where they are. Never throws: see
// TokenizerSource::problem.
TokenizerSource gguf_tokenizer_source(std::shared_ptr<const Metadata> keys);

// What the three have in common.
std::unique_ptr<const Vocabulary> read_gguf_vocabulary(const TokenizerSource& source, Vocabulary::Alphabet alphabet);
int64_t read_gguf_id(const Metadata& metadata, std::string_view key);  // any number; -1: no such key
// -1 for an id beyond the vocabulary too, with a line in parts.warnings.
TokenId read_gguf_id(const TokenizerSource& source, std::string_view key, Pipeline& parts);
std::vector<AddedToken> special_tokens_of(const Vocabulary& vocabulary, const TokenizerSource& source);
void read_gguf_ends(const TokenizerSource& source, bool adds_bos, Pipeline& parts);

}  // namespace emelex
