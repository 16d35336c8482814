#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/likeliest.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

void check(bool holds, const char* rule, double value) {
  if (!holds) throw Error(ErrorCode::invalid_argument, str_cat("[sampling] expected ", rule, ", got ", value));
}

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options)
    : options_(options), random_(options.seed.has_value() ? *options.seed : random_seed()) {
  check(options.temperature >= 0.0F && std::isfinite(options.temperature), "temperature to be 0 or more",
        static_cast<double>(options.temperature));
  check(options.top_p > 0.0F && options.top_p <= 1.0F, "top-p in (0, 1]", static_cast<double>(options.top_p));
  check(options.min_p >= 0.0F && options.min_p <= 1.0F, "min-p in [0, 1]", static_cast<double>(options.min_p));
  check(options.top_k >= 0, "top-k to be 0 or more", options.top_k);
  check(options.repeat_penalty > 0.0F && std::isfinite(options.repeat_penalty), "a repeat penalty above 0",
        static_cast<double>(options.repeat_penalty));
  check(options.repeat_window >= 0, "a repeat window of 0 or more", options.repeat_window);
}

TokenId Sampler::sample(std::span<float> logits, std::span<const TokenId> recent) {
  penalize(logits, recent);
  const TokenId likeliest = sanitize(logits);
  if (options_.temperature == 0.0F) return likeliest;
  keep_likeliest(logits);
  truncate();
  return draw();
}

bool Sampler::takes_likeliest() const {
  return options_.temperature == 0.0F && (options_.repeat_penalty == 1.0F || options_.repeat_window == 0);
}

TokenId Sampler::take(TokenId likeliest) {
  if (likeliest == kNoToken) {
    throw Error(
        ErrorCode::corrupt_file,
        "[sampling] expected a token that is possible, got NaN or -infinity for all; the weights have no values "
        "to compute with");
  }
  return likeliest;
}

// Leaves numbers and -infinity, so that differences of logits are never NaN; → the likeliest, the lowest id of equals.
TokenId Sampler::sanitize(std::span<float> logits) {
  size_t likeliest = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    float& logit = logits[i];
    logit = std::isnan(logit) ? -INFINITY : std::min(logit, std::numeric_limits<float>::max());
    if (logit > logits[likeliest]) likeliest = i;
  }
  const bool possible = !logits.empty() && logits[likeliest] != -INFINITY;
  return take(possible ? static_cast<TokenId>(likeliest) : kNoToken);
}

// As in CTRL (Keskar et al., arXiv:1909.05858): a positive logit is divided, a negative one multiplied.
void Sampler::penalize(std::span<float> logits, std::span<const TokenId> recent) const {
  if (options_.repeat_penalty == 1.0F || options_.repeat_window == 0) return;
  const size_t n = std::min(recent.size(), static_cast<size_t>(options_.repeat_window));
  const std::set<TokenId> seen(recent.end() - static_cast<std::ptrdiff_t>(n), recent.end());
  for (const TokenId id : seen) {
    if (id < 0 || static_cast<size_t>(id) >= logits.size()) continue;
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit > 0.0F ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
  }
}

void Sampler::keep_likeliest(std::span<const float> logits) {
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -INFINITY) candidates_.push_back({static_cast<TokenId>(i), logits[i]});
  }
  // Ties go to the lower id, so that the order is the same everywhere.
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const size_t k =
      options_.top_k == 0 ? candidates_.size() : std::min(candidates_.size(), static_cast<size_t>(options_.top_k));
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(k), candidates_.end(),
                    likelier);
  candidates_.resize(k);
}

// Top-p (Holtzman et al., arXiv:1904.09751) and min-p (Nguyen et al., arXiv:2407.01082), before the temperature.
void Sampler::truncate() {
  weights_.clear();
  double total = 0;
  for (const Candidate& c : candidates_) {
    weights_.push_back(std::exp(static_cast<double>(c.logit) - static_cast<double>(candidates_.front().logit)));
    total += weights_.back();
  }
  size_t keep = weights_.size();
  if (options_.top_p < 1.0F) {
    double sum = 0;
    for (keep = 0; keep < weights_.size() && sum < static_cast<double>(options_.top_p) * total; ++keep)
      sum += weights_[keep];
  }
  while (keep > 1 && weights_[keep - 1] < static_cast<double>(options_.min_p))
    --keep;  // weights are relative to the likeliest
  candidates_.resize(std::max<size_t>(keep, 1));
}

TokenId Sampler::draw() {
  weights_.clear();
  double total = 0;
  for (const Candidate& c : candidates_) {
    const double difference = static_cast<double>(c.logit) - static_cast<double>(candidates_.front().logit);
    weights_.push_back(std::exp(difference / static_cast<double>(options_.temperature)));
    total += weights_.back();
  }
  // 53 random bits as a number in [0, 1); the standard library's distributions differ between implementations.
  double at = static_cast<double>(random_() >> 11) * 0x1p-53 * total;
  for (size_t i = 0; i < weights_.size(); ++i) {
    at -= weights_[i];
    if (at < 0) return candidates_[i].id;
  }
  return candidates_.front().id;  // only if rounding left something over: any that is surely possible
}

}  // namespace emelex
