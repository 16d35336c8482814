#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/runner.h"

namespace emelex {

// The tokens that a sequence of the cache holds.
struct CachedSequence {
  SequenceId id;
  std::vector<TokenId> tokens;
  bool long_rope = false;  // Runner::needs_long_rope of the sequence that they were computed for
};

// Computes a prompt, reusing what the sequence already holds, and generates. Runs on the runner's thread; `emit` is
// called there with each piece of text and returns false to stop. See Engine::generate.
GenerateResult generate(Runner& runner, const Tokenizer& tokenizer, CachedSequence& sequence,
                        std::span<const TokenId> prompt, const GenerateOptions& options, const TextCallback& emit);

}  // namespace emelex
