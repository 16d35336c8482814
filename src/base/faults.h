#pragma once

#include <atomic>
#include <cstdint>

// Lets a test make the n-th call of a kind fail, to see what becomes of the rest. While nothing is armed, a call costs
// one relaxed load of an atomic. Only what can't be made to fail from outside is here; allocations, files and sockets
// are the C library's, whose functions tests/faults replaces.
namespace emelex::faults {

enum class Call : uint8_t {
  start_thread,  // start_thread() of base/threads.h
  map_memory,    // HugePages
  compute,       // a forward pass, between building MLX's graph and evaluating it
};
inline constexpr int kCalls = 3;

// Resets all counters, and makes the n-th call of that kind from now on fail, once; 0: none, calls are only counted.
// Not to be called while other threads make such calls.
void arm(Call call, int64_t n);

// Ends counting and failing.
void disarm();

// Calls of a kind since arm().
int64_t count(Call call);

namespace detail {
inline std::atomic<bool> armed{false};
bool is_due(Call call) noexcept;
}  // namespace detail

// Counts the call; true when this is the one that must fail.
inline bool fails(Call call) noexcept { return detail::armed.load(std::memory_order_relaxed) && detail::is_due(call); }

}  // namespace emelex::faults
