#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace emelex {
namespace {

// How long a worker looks for the next loop before it sleeps. Loops of one token follow each other within microseconds;
// a longer spin would only take the core from somebody else.
constexpr auto kSpin = std::chrono::microseconds(50);
constexpr int kPausesPerLook = 32;

// An index that no loop has.
constexpr uint64_t kClosed = 0x7FFFFFFF;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until `done()`; gives up after kSpin.
template <class Done>
bool spin_until(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

}  // namespace

ThreadPool::ThreadPool(int n_threads) {
  for (int worker = 1; worker < n_threads; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(int n, Call call, const void* fn) {
  // The last loop is closed first, so that no worker that is late takes the new n_ for its end.
  const uint64_t last_loop = ticket_.load(std::memory_order_relaxed) >> 32;
  ticket_.store(last_loop << 32 | kClosed, std::memory_order_relaxed);
  n_.store(n, std::memory_order_release);
  call_ = call;
  fn_ = fn;
  done_.store(0, std::memory_order_relaxed);
  ticket_.store((last_loop + 1) << 32, std::memory_order_seq_cst);
  if (asleep_.load(std::memory_order_seq_cst) > 0) {
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }
  take_indices(0);
  const auto all_done = [&] { return done_.load(std::memory_order_acquire) == n; };
  while (!spin_until(all_done)) std::this_thread::yield();
  if (failed_.load(std::memory_order_relaxed)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void ThreadPool::take_indices(int worker) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (true) {
    const auto index = static_cast<int>(ticket & 0xFFFFFFFFU);
    if (index >= n_.load(std::memory_order_acquire)) return;
    // Succeeds only while this loop goes on, and so with its n_.
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acquire)) continue;
    if (!failed_.load(std::memory_order_relaxed)) {
      try {
        call_(fn_, index, worker);
      } catch (...) {
        keep_failure();
      }
    }
    done_.fetch_add(1, std::memory_order_release);
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

// The other indices are counted as done without being called.
void ThreadPool::keep_failure() {
  const std::lock_guard lock(mutex_);
  if (failure_ == nullptr) failure_ = std::current_exception();
  failed_.store(true, std::memory_order_relaxed);
}

bool ThreadPool::wait_for_loop(uint32_t seen) {
  const auto started = [&] {
    return static_cast<uint32_t>(ticket_.load(std::memory_order_seq_cst) >> 32) != seen ||
           stop_.load(std::memory_order_relaxed);
  };
  if (!spin_until(started)) {
    std::unique_lock lock(mutex_);
    asleep_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, started);
    asleep_.fetch_sub(1, std::memory_order_seq_cst);
  }
  return !stop_.load(std::memory_order_relaxed);
}

void ThreadPool::work(int worker) {
  uint32_t seen = 0;
  while (wait_for_loop(seen)) {
    seen = static_cast<uint32_t>(ticket_.load(std::memory_order_acquire) >> 32);
    take_indices(worker);
  }
}

int physical_cores() {
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
      std::string siblings;
      // Without the file, each hardware thread counts as a core.
      if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
      cores.insert(siblings);
    }
    if (!cores.empty()) return static_cast<int>(cores.size());
  }
#elif defined(__APPLE__)
  int cores = 0;
  size_t size = sizeof(cores);
  if (sysctlbyname("hw.perflevel0.physicalcpu", &cores, &size, nullptr, 0) == 0 && cores > 0) return cores;
  if (sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0 && cores > 0) return cores;
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace emelex
