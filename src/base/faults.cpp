#include "base/faults.h"

#include <array>

namespace emelex::faults {
namespace {

std::array<std::atomic<int64_t>, kCalls> counts{};
std::atomic<Call> failing{Call::start_thread};
std::atomic<int64_t> failing_number{0};

}  // namespace

void arm(Call call, int64_t n) {
  for (auto& count : counts) count = 0;
  failing = call;
  failing_number = n;
  detail::armed = true;
}

void disarm() { detail::armed = false; }

int64_t count(Call call) { return counts[static_cast<size_t>(call)]; }

bool detail::is_due(Call call) noexcept {
  const int64_t number = counts[static_cast<size_t>(call)].fetch_add(1) + 1;
  return call == failing && number == failing_number;
}

}  // namespace emelex::faults
