#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "emelex/engine.h"
#include "engine/stop_matcher.h"
#include "sampling/sampler.h"

namespace emelex {

// What a model allows a generation.
struct GenerationLimits {
  int vocab_size;
  int context;        // tokens that a sequence can hold
  int model_context;  // for messages: what the model was trained for
};

// One generation as a state machine that knows no model: which tokens are to be computed, and what becomes of their
// logits. Not thread-safe.
class Generation {
 public:
  using Clock = std::chrono::steady_clock;

  // Throws Error(invalid_argument) where the prompt or an option can't be meant.
  Generation(const Tokenizer& tokenizer, std::vector<TokenId> prompt, const GenerateOptions& options,
             const GenerationLimits& limits);

  // All that is to be computed: the prompt, and what was generated after it. Grows by accept().
  const std::vector<TokenId>& tokens() const { return tokens_; }
  // Whether the likeliest token is all that it wants of logits.
  bool takes_likeliest() const { return sampler_.takes_likeliest(); }
  bool ended() const { return ended_; }
  int generated() const { return result_.stats.generated_tokens; }

  // The request's turn has come.
  void begin();
  // For its statistics.
  void add_cached(int tokens) { result_.stats.cached_tokens += tokens; }
  void add_preemption() { ++result_.stats.preemptions; }
  // Takes the logits of the last token, which may be changed. → text to show. Throws Error(corrupt_file) where no token
  // is possible.
  std::string accept(std::span<float> logits) {
    return max_tokens_ == 0 ? end(FinishReason::max_tokens) : add(sampler_.sample(logits, tokens_));
  }
  std::string accept(TokenId likeliest) {
    return max_tokens_ == 0 ? end(FinishReason::max_tokens) : add(Sampler::take(likeliest));
  }
  // Ends it in its present state. → what was held back of the text
  std::string end(FinishReason reason);

  // After its end. The text is all that was shown.
  GenerateResult take_result();

 private:
  std::string add(TokenId id);

  const Tokenizer* tokenizer_;
  std::vector<TokenId> tokens_;
  int max_tokens_;
  int context_;
  Sampler sampler_;
  StreamDecoder decoder_;
  StopMatcher stops_;
  bool ended_ = false;
  GenerateResult result_;
  Clock::time_point submitted_ = Clock::now();
  Clock::time_point begun_ = submitted_;
  Clock::time_point first_token_ = submitted_;
  Clock::time_point last_token_ = submitted_;
};

}  // namespace emelex
