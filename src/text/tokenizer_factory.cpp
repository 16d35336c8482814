#include "text/tokenizer_factory.h"

#include <array>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/byte_level_bpe_tokenizer.h"
#include "text/hf_tokenizer.h"

namespace emelex {
namespace {

using Maker = std::unique_ptr<Tokenizer> (*)(const Metadata&);

struct Kind {
  std::string_view name;  // of tokenizer.ggml.model
  Maker make;
};

constexpr std::array kKinds = {
    Kind{"gpt2", make_byte_level_bpe_tokenizer},
};

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const Metadata& metadata) {
  if (const auto problem = metadata.string(kTokenizerProblemKey)) throw Error(ErrorCode::unsupported, *problem);
  const std::string name = metadata.require_string("tokenizer.ggml.model");
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return kind.make(metadata);
    known += str_cat(known.empty() ? "" : ", ", kind.name);
  }
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected tokenizer.ggml.model to be one of (", known,
                                              "), got '", name, "' in ", metadata.source()));
}

}  // namespace emelex
