#pragma once

#include <random>
#include <span>
#include <vector>

#include "emelex/engine.h"

namespace emelex {

// Chooses the next token from logits, as SamplingOptions says. One per generation; not thread-safe.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options);

  // `logits` [vocab_size] may be changed. `recent` are the tokens so far, prompt included. NaN and -infinity are
  // impossible, +infinity is the largest number. Throws Error(corrupt_file) when no token is possible.
  TokenId sample(std::span<float> logits, std::span<const TokenId> recent);

  // Whether sample() takes the likeliest token of the logits as they are, so that nothing else of them is needed.
  bool takes_likeliest() const;
  // What sample() does with the likeliest token. Throws as it does for kNoToken.
  static TokenId take(TokenId likeliest);

 private:
  struct Candidate {
    TokenId id;
    float logit;
  };

  void penalize(std::span<float> logits, std::span<const TokenId> recent) const;
  static TokenId sanitize(std::span<float> logits);
  void keep_likeliest(std::span<const float> logits);
  void truncate();
  TokenId draw();

  SamplingOptions options_;
  std::mt19937_64 random_;             // its sequence is fixed by the C++ standard, so a seed means the same everywhere
  std::vector<Candidate> candidates_;  // the likeliest first
  std::vector<double> weights_;
};

}  // namespace emelex
