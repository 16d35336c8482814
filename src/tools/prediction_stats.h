#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emelex/tokenizer.h"
#include "tools/evaluate.h"

namespace emelex {

// A row of logits and what turns them into log probabilities: ln p(i) = logits[i] - max - log_sum.
struct Prediction {
  std::span<const float> logits;
  double max = 0;
  double log_sum = 0;  // ln of the sum of exp(logits[i] - max)

  // Throws Error(corrupt_file) when the logits give no probabilities: NaN or infinity among them.
  explicit Prediction(std::span<const float> logits);

  double log_probability(TokenId token) const;
  TokenId top() const;  // the first of the likeliest
};

// The Kullback-Leibler divergence of q from p, in nats, over a vocabulary that both have.
double kl_divergence(const Prediction& p, const Prediction& q);

// Mean and standard error of numbers that are added one by one.
class RunningMean {
 public:
  void add(double x);
  int64_t count() const { return count_; }
  Estimate estimate() const;

 private:
  int64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // sum of squared distances from the mean
};

// The value below which `part` of the values lie, 0 to 1, between neighbours in proportion. `sorted` has one or more.
double quantile(std::span<const double> sorted, double part);

Perplexity perplexity_of(const RunningMean& nll);

// What one prediction adds to a Comparison.
struct PredictionPair {
  double nll = 0;        // of the token that came, by this model
  double other_nll = 0;  // by the other
  double kl = 0;         // other || this
  bool same_top = false;

  PredictionPair() = default;
  PredictionPair(const Prediction& other, const Prediction& own, TokenId token);
};

class ComparisonStats {
 public:
  void add(const PredictionPair& pair);
  Comparison comparison() const;

 private:
  RunningMean other_nll_;
  RunningMean log_ratio_;
  RunningMean kl_;
  RunningMean delta_p_;
  RunningMean squared_delta_p_;
  std::vector<double> all_kl_;
  int64_t same_top_ = 0;
};

}  // namespace emelex
