#include "sampling/reference_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace emelex::test {
namespace {

// With the k-th entry of `kept` false, token k is impossible.
std::vector<double> softmax(const std::vector<double>& logits, const std::vector<bool>& kept) {
  double most = -INFINITY;
  for (size_t i = 0; i < logits.size(); ++i) most = kept[i] ? std::max(most, logits[i]) : most;
  std::vector<double> p(logits.size(), 0.0);
  for (size_t i = 0; i < logits.size(); ++i) p[i] = kept[i] ? std::exp(logits[i] - most) : 0.0;
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}

// How many tokens come before token `i` when the likeliest are first and equals go by their ids.
size_t rank(const std::vector<double>& logits, size_t i) {
  size_t n = 0;
  for (size_t j = 0; j < logits.size(); ++j) n += logits[j] > logits[i] || (logits[j] == logits[i] && j < i) ? 1 : 0;
  return n;
}

}  // namespace

std::vector<double> expected_probabilities(std::span<const float> logits, std::span<const TokenId> recent,
                                           const SamplingOptions& options) {
  const size_t vocab = logits.size();
  std::vector<double> x(logits.begin(), logits.end());
  for (size_t i = 0; i < vocab; ++i) {
    const size_t window = std::min(recent.size(), static_cast<size_t>(options.repeat_window));
    const bool seen = std::find(recent.end() - static_cast<std::ptrdiff_t>(window), recent.end(),
                                static_cast<TokenId>(i)) != recent.end();
    const double penalty = static_cast<double>(options.repeat_penalty);
    if (seen) x[i] = x[i] > 0 ? x[i] / penalty : x[i] * penalty;
  }

  std::vector<bool> kept(vocab, true);
  if (options.top_k > 0) {
    for (size_t i = 0; i < vocab; ++i) kept[i] = rank(x, i) < static_cast<size_t>(options.top_k);
  }

  auto p = softmax(x, kept);
  if (options.top_p < 1.0F) {
    const auto before = kept;
    for (size_t i = 0; i < vocab; ++i) {
      double likelier = 0;  // stays as long as those before it do not reach top-p
      for (size_t j = 0; j < vocab; ++j) likelier += rank(x, j) < rank(x, i) ? p[j] : 0.0;
      kept[i] = before[i] && likelier < static_cast<double>(options.top_p);
    }
  }

  const double most = *std::max_element(p.begin(), p.end());
  for (size_t i = 0; i < vocab; ++i) kept[i] = kept[i] && p[i] >= static_cast<double>(options.min_p) * most;

  for (double& value : x) value /= static_cast<double>(options.temperature);
  return softmax(x, kept);
}

}  // namespace emelex::test
