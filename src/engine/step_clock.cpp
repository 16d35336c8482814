#include "engine/step_clock.h"

#include <algorithm>
#include <iterator>

namespace emelex {
namespace {

constexpr double kShort = 0.1;  // seconds that nobody minds between two words
constexpr int kFirst = 16;      // tokens, to find out what they take
constexpr int kLeast = 4;       // so that a prompt goes on whatever the budget
constexpr double kShare = 0.3;  // of a new measurement in what is known
constexpr size_t kMostKnown = 256;

}  // namespace

int StepClock::prompt_tokens(int generated) const {
  if (generated == 0) return most_;
  const double alone = without_prompts(generated);
  if (alone == 0) return 0;
  if (per_prompt_token_ == 0) return std::min(kFirst, most_);
  const double left = (budget_ > 0 ? budget_ : std::max(2 * alone, kShort)) - alone;
  // One step never has many more than the last: what they take need not grow evenly.
  const double most = std::min<double>(most_, std::max(kFirst, 2 * last_));
  return static_cast<int>(std::clamp(left / per_prompt_token_, double{kLeast}, most));
}

double StepClock::without_prompts(int generated) const {
  if (seconds_.empty()) return 0;
  const auto above = seconds_.lower_bound(generated);
  if (above == seconds_.end()) return seconds_.rbegin()->second;
  if (above->first == generated || above == seconds_.begin()) return above->second;
  const auto below = std::prev(above);
  const double at = static_cast<double>(generated - below->first) / (above->first - below->first);
  return below->second + at * (above->second - below->second);
}

void StepClock::took(double seconds, int generated, int prompt_tokens) {
  const auto mix = [](double& known, double value) { known = known == 0 ? value : known + kShare * (value - known); };
  last_ = prompt_tokens;
  if (generated == 0) return;
  if (prompt_tokens == 0) {
    if (seconds_.size() >= kMostKnown && !seconds_.contains(generated)) seconds_.clear();
    mix(seconds_[generated], seconds);
  } else {
    mix(per_prompt_token_, std::max(1e-9, (seconds - without_prompts(generated)) / prompt_tokens));
  }
}

}  // namespace emelex
