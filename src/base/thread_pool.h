#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace emelex {

// Threads that share loops. The thread that calls for_each is worker 0 and works too. One loop at a time: for_each
// must not be called from two threads at once, nor from inside a loop.
class ThreadPool {
 public:
  // `n_threads` counts the caller; at least 1.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls fn(index, worker) once for each index in [0, n), in any order, from any worker, and returns when all are
  // done. When fn throws, indices that nobody has taken are left out, and the first exception is thrown here.
  template <class Fn>
  void for_each(int n, const Fn& fn) {
    if (n <= 1 || workers_.empty()) {
      for (int i = 0; i < n; ++i) fn(i, 0);
      return;
    }
    run(
        n, [](const void* f, int index, int worker) { (*static_cast<const Fn*>(f))(index, worker); }, &fn);
  }

 private:
  using Call = void (*)(const void* fn, int index, int worker);

  void run(int n, Call call, const void* fn);
  void work(int worker);
  void take_indices(int worker);
  void keep_failure();
  bool wait_for_loop(uint32_t seen);

  std::vector<std::thread> workers_;

  // The loop under way; written by run() when all indices of the one before are done, published by `ticket_`. Whoever
  // has taken an index may read them: the loop can't end before that index is done.
  std::atomic<int> n_{0};
  Call call_ = nullptr;
  const void* fn_ = nullptr;

  // The number of the loop, and in the low half the next index to take. One number, so that a worker that comes late,
  // because something else ran on its core, can't take an index of a loop that it has not seen, and nobody has to wait
  // for it.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<int> done_{0};  // indices of the loop
  std::exception_ptr failure_;            // of the loop, the first; under mutex_
  std::atomic<bool> failed_{false};
  std::atomic<int> asleep_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// Physical cores that this process may use, at least 1: hardware threads that share a core count once.
int physical_cores();

}  // namespace emelex
