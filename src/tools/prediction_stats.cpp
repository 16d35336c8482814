#include "tools/prediction_stats.h"

#include <algorithm>
#include <cmath>

#include "emelex/error.h"

namespace emelex {

// Differences of floats and their exponentials in double: the divergence of two near models is a small rest of large
// terms.
Prediction::Prediction(std::span<const float> row) : logits(row) {
  max = static_cast<double>(*std::max_element(row.begin(), row.end()));
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - max);
  log_sum = std::log(sum);
  if (!std::isfinite(max) || !std::isfinite(log_sum)) {
    throw Error(ErrorCode::corrupt_file, "[eval] expected finite logits, got others; the weights are damaged");
  }
}

double Prediction::log_probability(TokenId token) const {
  return static_cast<double>(logits[static_cast<size_t>(token)]) - max - log_sum;
}

TokenId Prediction::top() const {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

double kl_divergence(const Prediction& p, const Prediction& q) {
  // ln p(i) - ln q(i) is a difference of logits and one constant, so that only p's exponentials are needed.
  double sum = 0;
  for (size_t i = 0; i < p.logits.size(); ++i) {
    const double x = static_cast<double>(p.logits[i]) - p.max;
    sum += std::exp(x) * (x - (static_cast<double>(q.logits[i]) - q.max));
  }
  const double kl = sum / std::exp(p.log_sum) - p.log_sum + q.log_sum;
  return std::max(kl, 0.0);  // below it only by rounding
}

// Welford, Technometrics 4(3), 1962.
void RunningMean::add(double x) {
  ++count_;
  const double distance = x - mean_;
  mean_ += distance / static_cast<double>(count_);
  squares_ += distance * (x - mean_);
}

Estimate RunningMean::estimate() const {
  const auto n = static_cast<double>(count_);
  return {mean_, count_ > 1 ? std::sqrt(squares_ / (n * (n - 1))) : 0};
}

double quantile(std::span<const double> sorted, double part) {
  const double place = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Perplexity perplexity_of(const RunningMean& nll) {
  const Estimate estimate = nll.estimate();
  const double value = std::exp(estimate.mean);
  return {estimate, value, value * estimate.error};
}

PredictionPair::PredictionPair(const Prediction& other, const Prediction& own, TokenId token)
    : nll(-own.log_probability(token)),
      other_nll(-other.log_probability(token)),
      kl(kl_divergence(other, own)),
      same_top(own.top() == other.top()) {}

void ComparisonStats::add(const PredictionPair& pair) {
  const double delta_p = std::exp(-pair.nll) - std::exp(-pair.other_nll);
  other_nll_.add(pair.other_nll);
  log_ratio_.add(pair.nll - pair.other_nll);
  kl_.add(pair.kl);
  delta_p_.add(delta_p);
  squared_delta_p_.add(delta_p * delta_p);
  all_kl_.push_back(pair.kl);
  same_top_ += pair.same_top ? 1 : 0;
}

Comparison ComparisonStats::comparison() const {
  Comparison result;
  if (all_kl_.empty()) return result;
  result.other = perplexity_of(other_nll_);
  const Perplexity ratio = perplexity_of(log_ratio_);
  result.ratio = {ratio.value, ratio.error};
  result.kl = kl_.estimate();
  std::vector<double> sorted = all_kl_;
  std::sort(sorted.begin(), sorted.end());
  result.kl_median = quantile(sorted, 0.5);
  result.kl_90 = quantile(sorted, 0.9);
  result.kl_99 = quantile(sorted, 0.99);
  result.kl_999 = quantile(sorted, 0.999);
  result.kl_max = sorted.back();
  result.same_top = static_cast<double>(same_top_) / static_cast<double>(all_kl_.size());
  result.mean_delta_p = delta_p_.estimate().mean;
  result.rms_delta_p = std::sqrt(squared_delta_p_.estimate().mean);
  return result;
}

}  // namespace emelex
