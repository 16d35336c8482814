#include "text/files/tokenizer_factory.h"

#include <array>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/tokenizer_json.h"
#include "text/pipeline/pipeline_tokenizer.h"

namespace emelex {
namespace {

using Maker = Pipeline (*)(const TokenizerSource&);

struct Kind {
  std::string_view name;  // of tokenizer.ggml.model
  Maker make;
};

constexpr std::array kKinds = {
    Kind{"gpt2", make_gguf_bpe},         Kind{"gemma4", make_gguf_bpe},     Kind{"llama", make_gguf_sentencepiece},
    Kind{"t5", make_gguf_sentencepiece}, Kind{"bert", make_gguf_wordpiece},
};

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSource& source) {
  if (source.problem) throw Error(*source.problem);
  if (source.json != nullptr) return std::make_unique<PipelineTokenizer>(make_json_tokenizer(source));
  const std::string name = source.keys().require_string("tokenizer.ggml.model");
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return std::make_unique<PipelineTokenizer>(kind.make(source));
    known += str_cat(known.empty() ? "" : ", ", kind.name);
  }
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected tokenizer.ggml.model to be one of (", known,
                                              "), got ", quote_bytes(name), " in ", source.where()));
}

std::unique_ptr<Tokenizer> make_tokenizer(const Metadata& metadata) {
  // The source is used here alone, so it need not own the metadata.
  const std::shared_ptr<const Metadata> not_owned(std::shared_ptr<const void>(), &metadata);
  return make_tokenizer(gguf_tokenizer_source(not_owned));
}

}  // namespace emelex
