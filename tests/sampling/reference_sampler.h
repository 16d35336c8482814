#pragma once

#include <span>
#include <vector>

#include "emelex/engine.h"

namespace emelex::test {

// The probability with which each token should be drawn, computed in double precision and as plainly as possible, in
// the order of docs/decisions/0004-sampling-order.md. For a temperature above 0 and finite logits or -infinity.
std::vector<double> expected_probabilities(std::span<const float> logits, std::span<const TokenId> recent,
                                           const SamplingOptions& options);

}  // namespace emelex::test
