#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace emelex {

// Threads that share loops. The thread that calls for_each is worker 0 and works too. One loop at a time: for_each
// must not be called from two threads at once, nor from inside a loop.
class ThreadPool {
 public:
  // `n_threads` counts the caller; at least 1. Throws Error(out_of_memory) when a thread can't be started.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // The indices of a loop of n that `worker` takes first: [first_index(n, worker), first_index(n, worker + 1)).
  int first_index(int n, int worker) const { return static_cast<int>((int64_t{n} * worker + size() - 1) / size()); }

  // While `worker` waits for the end of this loop or for the next one, it brings these bytes into its cache: what it
  // expects to read next. Only hints to the processor, so the memory may be gone by then. Called by the worker itself,
  // from inside a loop; holds until the worker begins another loop.
  void read_ahead(int worker, std::span<const std::byte> bytes) {
    shares_[static_cast<size_t>(worker)].ahead = ReadAhead(bytes);
  }

  // Calls fn(index, worker) once for each index in [0, n), in any order, from any worker, and returns when all are
  // done. When fn throws, indices that nobody has taken are left out, and the first exception is thrown here.
  template <class Fn>
  void for_each(int n, const Fn& fn) {
    if (n <= 1 || workers_.empty()) {
      for (int i = 0; i < n; ++i) fn(i, 0);
      return;
    }
    const auto call = [](const void* f, int begin, int end, int worker) {
      for (int i = begin; i < end; ++i) (*static_cast<const Fn*>(f))(i, worker);
    };
    run(n, 1, call, &fn);
  }

  // Calls fn(begin, end, worker) for runs of indices that make up [0, n): long runs at first, then shorter ones, to
  // the end that all workers are ready together. For short loops that go through memory: taking an index waits for the
  // reads before it, which is 0.2 µs each time.
  template <class Fn>
  void for_runs(int n, const Fn& fn) {
    if (n <= 1 || workers_.empty()) {
      if (n > 0) fn(0, n, 0);
      return;
    }
    const auto call = [](const void* f, int begin, int end, int worker) {
      (*static_cast<const Fn*>(f))(begin, end, worker);
    };
    run(n, kPartOfRest, call, &fn);
  }

 private:
  using Call = void (*)(const void* fn, int begin, int end, int worker);
  static constexpr int kPartOfRest = 3;  // a run is a third of what is left

  // Memory that a worker is about to read. Seen by that worker alone.
  class ReadAhead {
   public:
    ReadAhead() = default;
    explicit ReadAhead(std::span<const std::byte> bytes) : next_(bytes.data()), left_(bytes.size()) {}
    // Asks for a bit of it; false when all has been asked for.
    bool step();

   private:
    const std::byte* next_ = nullptr;
    size_t left_ = 0;
  };

  // A worker's part of the loop under way: units that follow each other, so that it goes through memory in order. When
  // its own are taken it takes those of others. The ticket has the number of the loop, the next unit and the end, all
  // in one, so that a worker that comes late, because something else ran on its core, can't take a unit of a loop that
  // it has not seen, and nobody has to wait for it.
  struct alignas(64) Share {
    std::atomic<uint64_t> ticket{0};
    alignas(64) ReadAhead ahead;
  };

  void run(int n, int part_of_rest, Call call, const void* fn);
  void work(int worker);
  void stop();
  void take_all(int worker);
  int take(Share& share, int worker);
  void call_units(int begin, int end, int worker);
  void keep_failure();
  bool wait_for_loop(uint32_t seen, int worker);

  std::vector<std::thread> workers_;
  std::vector<Share> shares_;

  // The loop under way; written by run() when all units of the one before are done, published by the tickets. Whoever
  // has taken a unit may read them: the loop can't end before that unit is done.
  int n_ = 0;
  int n_units_ = 0;  // runs of indices, for loops of more than a ticket can number
  Call call_ = nullptr;
  const void* fn_ = nullptr;

  std::atomic<int> part_of_rest_{1};  // one unit is taken at a time, or where it is not 1 such a part of those left

  alignas(64) std::atomic<uint32_t> loop_{0};  // its number
  alignas(64) std::atomic<int> done_{0};       // units of the loop
  std::exception_ptr failure_;                 // of the loop, the first; under mutex_
  std::atomic<bool> failed_{false};
  std::atomic<int> asleep_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// Physical cores that this process may use, at least 1: hardware threads that share a core count once.
int physical_cores();

}  // namespace emelex
