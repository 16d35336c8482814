#pragma once

#include <cstddef>
#include <span>

// Each reads bytes as one kind of a tokenizer's file, encodes and decodes with it, and checks what always holds.
// Returns whether they were valid; anything other than a result or an Error ends the program.
namespace emelex {

// tokenizer.json, and after a zero byte a text to encode.
bool fuzz_tokenizer_json(std::span<const std::byte> bytes);

// A sentencepiece .model.
bool fuzz_sentencepiece(std::span<const std::byte> bytes);

// The tokenizer, chat templates and recommendations of a GGUF file's keys.
bool fuzz_gguf_text(std::span<const std::byte> bytes);

// A folder's config.json, generation_config.json and tokenizer_config.json, parted by zero bytes.
bool fuzz_folder_text(std::span<const std::byte> bytes);

// The same for tiktoken's and tekken.json.
bool fuzz_tiktoken(std::span<const std::byte> bytes);
bool fuzz_tekken(std::span<const std::byte> bytes);

}  // namespace emelex
