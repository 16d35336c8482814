#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "base/strings.h"
#include "base/threads.h"

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

// A ticket, from the lowest bits: the end of the units, the next unit, the number of the loop.
constexpr int kUnitBits = 20;
constexpr uint64_t kUnitMask = (uint64_t{1} << kUnitBits) - 1;
constexpr uint64_t kOneUnit = uint64_t{1} << kUnitBits;

uint64_t make_ticket(uint32_t loop, int next, int end) {
  return uint64_t{loop} << 2 * kUnitBits | static_cast<uint64_t>(next) << kUnitBits | static_cast<uint64_t>(end);
}
int end_of(uint64_t ticket) { return static_cast<int>(ticket & kUnitMask); }
int next_of(uint64_t ticket) { return static_cast<int>(ticket >> kUnitBits & kUnitMask); }

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until `done()`; gives up after kSpin. Between looks it calls `use_time()`, which is false when it has nothing
// to do.
template <class Done, class UseTime>
bool spin_until(const Done& done, const UseTime& use_time) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      if (!use_time()) pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

}  // namespace

bool ThreadPool::ReadAhead::step() {
  constexpr size_t kLine = 64;
  constexpr size_t kAtOnce = 2 * kLine;
  if (left_ < kAtOnce) return false;
  for (size_t at = 0; at < kAtOnce; at += kLine) __builtin_prefetch(next_ + at, 0, 2);
  next_ += kAtOnce;
  left_ -= kAtOnce;
  return true;
}

ThreadPool::ThreadPool(int n_threads) : shares_(static_cast<size_t>(std::max(1, n_threads))) {
  try {
    workers_.reserve(shares_.size() - 1);
    for (int worker = 1; worker < n_threads; ++worker) {
      workers_.push_back(start_thread(str_cat("a pool of ", n_threads), [this, worker] { work(worker); }));
    }
  } catch (...) {
    stop();  // those that have started
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(int n, int part_of_rest, Call call, const void* fn) {
  n_ = n;
  n_units_ = std::min(n, static_cast<int>(kUnitMask));
  part_of_rest_.store(part_of_rest, std::memory_order_relaxed);
  call_ = call;
  fn_ = fn;
  done_.store(0, std::memory_order_relaxed);
  const uint32_t loop = loop_.load(std::memory_order_relaxed) + 1;
  for (int worker = 0; worker < size(); ++worker) {
    const uint64_t ticket = make_ticket(loop, first_index(n_units_, worker), first_index(n_units_, worker + 1));
    shares_[static_cast<size_t>(worker)].ticket.store(ticket, std::memory_order_release);
  }
  loop_.store(loop, std::memory_order_seq_cst);
  if (asleep_.load(std::memory_order_seq_cst) > 0) {
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }
  shares_.front().ahead = {};
  take_all(0);
  const auto all_done = [&] { return done_.load(std::memory_order_acquire) == n_units_; };
  const auto use_time = [this] { return shares_.front().ahead.step(); };
  while (!spin_until(all_done, use_time)) std::this_thread::yield();
  if (failed_.load(std::memory_order_relaxed)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void ThreadPool::take_all(int worker) {
  // What was taken is of one loop: that one can't end before it is counted here.
  int taken = 0;
  for (int i = 0; i < size(); ++i) taken += take(shares_[static_cast<size_t>((worker + i) % size())], worker);
  if (taken > 0) done_.fetch_add(taken, std::memory_order_release);
}

int ThreadPool::take(Share& share, int worker) {
  int taken = 0;
  uint64_t ticket = share.ticket.load(std::memory_order_acquire);
  while (next_of(ticket) < end_of(ticket)) {
    // What is read of the loop before a unit of it is taken may be of another one: then nothing is taken.
    const int rest = end_of(ticket) - next_of(ticket);
    const int part = part_of_rest_.load(std::memory_order_relaxed);
    const int units = part == 1 ? 1 : std::max(1, rest / part);
    // Succeeds only while this loop goes on.
    const uint64_t after = ticket + kOneUnit * static_cast<uint64_t>(units);
    if (!share.ticket.compare_exchange_weak(ticket, after, std::memory_order_acquire)) continue;
    call_units(next_of(ticket), next_of(after), worker);
    taken += units;
    ticket = share.ticket.load(std::memory_order_acquire);
  }
  return taken;
}

void ThreadPool::call_units(int begin, int end, int worker) {
  const auto first = [this](int unit) { return static_cast<int>(int64_t{n_} * unit / n_units_); };
  if (failed_.load(std::memory_order_relaxed)) return;
  try {
    call_(fn_, first(begin), first(end), worker);
  } catch (...) {
    keep_failure();
  }
}

// The other units are counted as done without being called.
void ThreadPool::keep_failure() {
  const std::lock_guard lock(mutex_);
  if (failure_ == nullptr) failure_ = std::current_exception();
  failed_.store(true, std::memory_order_relaxed);
}

bool ThreadPool::wait_for_loop(uint32_t seen, int worker) {
  const auto started = [&] {
    return loop_.load(std::memory_order_seq_cst) != seen || stop_.load(std::memory_order_relaxed);
  };
  const auto use_time = [&] { return shares_[static_cast<size_t>(worker)].ahead.step(); };
  if (!spin_until(started, use_time)) {
    std::unique_lock lock(mutex_);
    asleep_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, started);
    asleep_.fetch_sub(1, std::memory_order_seq_cst);
  }
  return !stop_.load(std::memory_order_relaxed);
}

void ThreadPool::work(int worker) {
  uint32_t seen = 0;
  while (wait_for_loop(seen, worker)) {
    shares_[static_cast<size_t>(worker)].ahead = {};
    seen = loop_.load(std::memory_order_acquire);
    take_all(worker);
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
