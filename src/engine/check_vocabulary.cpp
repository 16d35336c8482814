#include "engine/check_vocabulary.h"

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

void check_vocabulary(const Tokenizer& tokenizer, const TokenizerSource& source, int64_t model_size) {
  if (tokenizer.vocab_size() == model_size) return;
  throw Error(ErrorCode::corrupt_file,
              str_cat("[engine] expected as many tokens as token_embd.weight has rows, ", model_size, ", got ",
                      tokenizer.vocab_size(), " in tokenizer.ggml.tokens of ", source.where()));
}

}  // namespace emelex
