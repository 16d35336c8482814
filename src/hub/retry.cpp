#include "hub/retry.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <thread>

#include "base/strings.h"

namespace emelex {
namespace {

// A server that says "later" that often in a row will go on saying it.
constexpr int kMostLimits = 20;

double jitter() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.5, 1.0)(random);
}

}  // namespace

void check_cancelled(const std::atomic<bool>* cancel) {
  if (cancel != nullptr && *cancel) throw Error(ErrorCode::cancelled, "[hub] interrupted");
}

void sleep_unless_cancelled(double seconds, const std::atomic<bool>* cancel) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  constexpr auto kSlice = std::chrono::milliseconds(50);
  for (;;) {
    check_cancelled(cancel);
    const auto left = end - Clock::now();
    if (left <= Clock::duration::zero()) return;
    std::this_thread::sleep_for(std::min<Clock::duration>(left, kSlice));
  }
}

void Retry::wait(const TransientError& failure) {
  double seconds = 0;
  if (failure.wait_seconds()) {
    seconds = *failure.wait_seconds();
    if (++limits_ > kMostLimits || seconds > policy_.longest_limit) throw failure;
    // Not all at the very moment that was named.
    seconds += jitter() * std::min(1.0, policy_.first_wait);
  } else {
    if (++failures_ >= policy_.tries) throw failure;
    seconds = jitter() * std::min(policy_.longest_wait, policy_.first_wait * std::pow(2.0, failures_ - 1));
  }
  if (policy_.note && seconds > 1) {
    policy_.note(str_cat(failure.what(), "; again in ", std::llround(seconds), " s"));
  }
  sleep_unless_cancelled(seconds, policy_.cancel);
}

}  // namespace emelex
