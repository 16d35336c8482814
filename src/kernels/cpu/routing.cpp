#include "kernels/cpu/routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace emelex::cpu {
namespace {

// Whether expert a goes before b. What is not a number comes last, so that there is an order at all.
bool goes_before(const float* scores, int a, int b) {
  const float x = scores[a];
  const float y = scores[b];
  if (std::isnan(x) || std::isnan(y)) return std::isnan(x) == std::isnan(y) ? a < b : std::isnan(y);
  return x != y ? x > y : a < b;
}

// One token's experts, in the order of their numbers, and their weights. `order` has room for all experts' numbers.
void choose(const ExpertsConfig& config, std::span<const float> scores, std::span<int> order, float* weights) {
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + config.n_used, order.end(),
                    [&](int a, int b) { return goes_before(scores.data(), a, b); });
  const float most = scores[static_cast<size_t>(order.front())];
  const std::span<int> used = order.first(static_cast<size_t>(config.n_used));
  std::sort(used.begin(), used.end());
  float sum = 0.0F;
  for (size_t i = 0; i < used.size(); ++i) {
    weights[i] = std::exp(scores[static_cast<size_t>(used[i])] - most);
    sum += weights[i];
  }
  if (!config.normalized) {
    sum = 0.0F;
    for (const float score : scores) sum += std::exp(score - most);
  }
  for (size_t i = 0; i < used.size(); ++i) weights[i] /= sum;
}

}  // namespace

Routing route_tokens(const ExpertsConfig& config, const float* scores, int tokens, int n_experts) {
  const auto n_used = static_cast<size_t>(config.n_used);
  const size_t n_rows = static_cast<size_t>(tokens) * n_used;
  Routing routing;
  routing.weights.resize(n_rows);
  std::vector<int> chosen;  // [tokens, n_used]
  std::vector<int> order(static_cast<size_t>(n_experts));
  std::vector<int> counts(static_cast<size_t>(n_experts));
  for (size_t t = 0; t < static_cast<size_t>(tokens); ++t) {
    choose(config, {scores + t * order.size(), order.size()}, order, routing.weights.data() + t * n_used);
    chosen.insert(chosen.end(), order.begin(), order.begin() + config.n_used);
    for (size_t i = 0; i < n_used; ++i) ++counts[static_cast<size_t>(order[i])];
  }

  std::vector<int> next;  // row of each expert's next token
  int row = 0;
  for (int expert = 0; expert < n_experts; ++expert) {
    const int count = counts[static_cast<size_t>(expert)];
    if (count > 0) routing.groups.push_back({expert, row, count});
    next.push_back(row);
    row += count;
  }
  routing.tokens.resize(n_rows);
  routing.rows.resize(n_rows);
  for (size_t i = 0; i < n_rows; ++i) {
    routing.rows[i] = next[static_cast<size_t>(chosen[i])]++;
    routing.tokens[static_cast<size_t>(routing.rows[i])] = static_cast<int>(i / n_used);
  }
  return routing;
}

}  // namespace emelex::cpu
