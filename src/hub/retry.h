#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "hub/transient_error.h"

namespace emelex {

struct RetryPolicy {
  int tries = 8;               // in a row without a byte, before giving up
  double first_wait = 0.5;     // seconds before the second try; doubles with each, up to `longest_wait`
  double longest_wait = 30;    // seconds
  double longest_limit = 600;  // seconds that a server's own wish is followed
  const std::atomic<bool>* cancel = nullptr;
  std::function<void(const std::string& line)> note;  // told of waits of more than a second; from any thread
};

// Throws Error(cancelled) once `cancel` is set.
void check_cancelled(const std::atomic<bool>* cancel);

// Sleeps; throws Error(cancelled) at once when `cancel` is set meanwhile.
void sleep_unless_cancelled(double seconds, const std::atomic<bool>* cancel);

// The tries of one piece of work.
class Retry {
 public:
  explicit Retry(const RetryPolicy& policy) : policy_(policy) {}

  // After a failure: waits until it is time for another try, or throws the failure when there were too many. Waits are
  // drawn from the upper half of the back-off, so that many clients don't come back at once.
  void wait(const TransientError& failure);

  // Bytes came: what was before does not count any more.
  void progressed() { failures_ = limits_ = 0; }

 private:
  const RetryPolicy& policy_;
  int failures_ = 0;
  int limits_ = 0;
};

// Calls `work` until it throws no TransientError.
template <class Work>
auto with_retries(const RetryPolicy& policy, const Work& work) {
  for (Retry retry(policy);;) {
    try {
      return work();
    } catch (const TransientError& failure) {
      retry.wait(failure);
    }
  }
}

}  // namespace emelex
