#pragma once

#include <mlx/stream.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/cpu/kernel_table.h"

namespace emelex::cpu {

// Memory that grows and is reused, aligned to a cache line. What it held is lost when it grows.
class Scratch {
 public:
  template <class T = std::byte>
  T* get(size_t count) {
    const size_t bytes = count * sizeof(T);
    if (bytes > size_) {
      memory_.reset(static_cast<std::byte*>(::operator new(bytes, kAlignment)));
      size_ = bytes;
    }
    return reinterpret_cast<T*>(memory_.get());
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  size_t size_ = 0;
};

// The first exception of the tasks on a stream, whose thread has nobody to throw to.
class TaskFailure {
 public:
  // Runs a task, unless one has failed before.
  template <class Task>
  void guard(const Task& task) {
    if (failed_) return;
    try {
      task();
    } catch (...) {
      first_ = std::current_exception();
      failed_ = true;
    }
  }

  // Throws it, once; to be called when no task is left to run.
  void rethrow() {
    if (!failed_) return;
    failed_ = false;
    std::rethrow_exception(std::exchange(first_, nullptr));
  }

 private:
  std::atomic<bool> failed_{false};
  std::exception_ptr first_;
};

// What the CPU kernels of one model share. Tasks run one after another on the stream's thread and hold it by
// shared_ptr.
struct CpuContext {
  CpuContext(mlx::core::Stream s, int n_threads, bool int8)
      : stream(s),
        kernels(kernel_table()),
        int8_activations(int8),
        pool(n_threads),
        worker_scratch(static_cast<size_t>(pool.size())) {}

  mlx::core::Stream stream;
  const KernelTable& kernels;
  bool int8_activations;  // round activations to int8 where the weights have such a kernel
  ThreadPool pool;
  TaskFailure failure;
  Scratch task_scratch;                 // of the task that runs, seen by all its workers
  Scratch attend_scratch;               // likewise, for attention's partial results
  std::vector<Scratch> worker_scratch;  // of each worker
};

using CpuContextPtr = std::shared_ptr<CpuContext>;

}  // namespace emelex::cpu
