#pragma once

#include <string>
#include <vector>

#include "text/files/tokenizer_source.h"
#include "text/vocabulary/vocabulary.h"

// Which tokens end a turn. docs/decisions/0024-ends-of-turn.md has the rule and why.
namespace emelex {

// The key under which `quantize` keeps the ends that GGUF's own keys have no room for: an array of token ids.
inline constexpr const char* kTurnEndsKey = "tokenizer.ggml.eos_token_ids";

// What a GGUF file's keys say.
TurnEnds gguf_turn_ends(const Metadata& metadata);

// The tokens of the vocabulary that end a turn: what the files say, and by name where they are silent. Ids beyond the
// vocabulary are left out, with a line in `warnings` for each.
std::vector<TokenId> ends_of_turn(const TokenizerSource& source, const Vocabulary& vocabulary,
                                  std::vector<std::string>& warnings);

}  // namespace emelex
