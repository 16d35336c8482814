#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/models/token_model.h"
#include "text/pipeline/decoder.h"
#include "text/pipeline/normalizer.h"
#include "text/pipeline/pre_tokenizer.h"
#include "text/vocabulary/added_tokens.h"
#include "text/vocabulary/vocabulary.h"

namespace emelex {

// The parts of a tokenizer, in the order in which a text goes through them. Every kind of file becomes one of these.
struct Pipeline {
  std::unique_ptr<const Vocabulary> vocabulary;  // stays where it is: the model points to it
  AddedTokens added;                             // found in the text as it is
  NormalizerPtr normalizer;                      // of what lies between them; may be null
  AddedTokens added_normalized;                  // found in that
  std::map<TokenId, std::string> found_as;  // the text that such a token is found as, where the normalizer changes it
  PreTokenizerPtr pre_tokenizer;            // may be null: all is one word
  std::unique_ptr<const TokenModel> model;
  Decoder decoder;

  // Whether bytes that are not UTF-8 are words of their own; else each becomes U+FFFD.
  bool keeps_bytes = false;
  PreTokenizerPtr invalid_bytes;  // what such words go through; may be null

  TokenId bos = -1;
  TokenId eos = -1;
  bool adds_bos = false;
  std::vector<TokenId> ends;          // tokens that end a generation
  std::vector<std::string> warnings;  // what was left out of the files and why, a line each
};

}  // namespace emelex
