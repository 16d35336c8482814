#pragma once

#include <vector>

#include "kernels/backend.h"

namespace emelex::cpu {

// Which experts compute which tokens of a step. A row is a token at one of its experts; rows are in the order of the
// experts, and within one in that of the tokens.
struct Routing {
  // The rows of one expert.
  struct Group {
    int expert;
    int first;
    int count;
  };

  std::vector<Group> groups;  // of experts that have any
  std::vector<int> tokens;    // [rows]
  // [tokens, n_used], a token's in the order of its experts' numbers, which is that of the sum
  std::vector<int> rows;
  std::vector<float> weights;
};

// scores [tokens, n_experts]
Routing route_tokens(const ExpertsConfig& config, const float* scores, int tokens, int n_experts);

}  // namespace emelex::cpu
