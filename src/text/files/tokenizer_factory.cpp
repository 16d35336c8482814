#include "text/files/tokenizer_factory.h"

#include <array>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/hf_tokenizer.h"
#include "text/files/tokenizer_json.h"
#include "text/pipeline/pipeline_tokenizer.h"

namespace emelex {
namespace {

using Maker = Pipeline (*)(const Metadata&);

struct Kind {
  std::string_view name;  // of tokenizer.ggml.model
  Maker make;
};

constexpr std::array kKinds = {
    Kind{"gpt2", make_gguf_bpe},         Kind{"gemma4", make_gguf_bpe},     Kind{"llama", make_gguf_sentencepiece},
    Kind{"t5", make_gguf_sentencepiece}, Kind{"bert", make_gguf_wordpiece},
};

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const Metadata& metadata) {
  if (const auto problem = metadata.string(kTokenizerProblemKey)) throw Error(ErrorCode::unsupported, *problem);
  if (metadata.contains(kTokenizerJsonKey)) return std::make_unique<PipelineTokenizer>(make_json_tokenizer(metadata));
  const std::string name = metadata.require_string("tokenizer.ggml.model");
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return std::make_unique<PipelineTokenizer>(kind.make(metadata));
    known += str_cat(known.empty() ? "" : ", ", kind.name);
  }
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected tokenizer.ggml.model to be one of (", known,
                                              "), got '", name, "' in ", metadata.source()));
}

}  // namespace emelex
