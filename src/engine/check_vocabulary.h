#pragma once

#include <cstdint>

#include "emelex/tokenizer.h"
#include "text/files/tokenizer_source.h"

namespace emelex {

// Throws Error(corrupt_file) unless the tokenizer, which was made of `source`, has as many ids as the model: else that
// could make ids without text.
void check_vocabulary(const Tokenizer& tokenizer, const TokenizerSource& source, int64_t model_size);

}  // namespace emelex
