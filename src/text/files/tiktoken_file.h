#pragma once

#include <string>
#include <string_view>

#include "text/files/tokenizer_source.h"

namespace emelex {

// Adds what a tiktoken file says to a model's tokenizer, under the keys that GGUF has for it. The file has a line for
// each token, its bytes in base64 and its rank; control tokens and the pattern of words are known by how many tokens
// there are (Llama 3 and 4, Qwen, OpenAI's). Throws Error: corrupt_file, or unsupported for another number.
void add_tiktoken(std::string_view text, const std::string& file, TokenizerSource& source);

// The same for Mistral's tekken.json, which says all of that itself.
void add_tekken(std::string_view text, const std::string& file, TokenizerSource& source);

}  // namespace emelex
