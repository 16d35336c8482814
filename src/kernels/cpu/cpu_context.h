#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/attention.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/packed_reading.h"

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

// What the workers read first of a product's weights, and the product after it. A model's products come in the same
// order with each token, so while a worker waits for the others it can begin to read for the next.
struct FirstReads {
  std::vector<std::span<const std::byte>> of_worker;
  std::weak_ptr<const FirstReads> next;
};

// The products of a step in the order in which they ran.
using ProductOrder = std::vector<std::shared_ptr<FirstReads>>;

// Layers whose attention a step is planned for together.
struct AttentionKind {
  AttentionConfig config;
  int layer;  // the first of them
};

// What has matrices that may be packed (cpu_matrix.h).
class Packable {
 public:
  virtual ~Packable() = default;
  // Called before step number `step`, from 1 on, of those with so few tokens that they wait for memory.
  virtual void pack_before(int step) = 0;
};

// What the operations of one model share. They run one after another on the thread that owns the model.
struct CpuContext {
  CpuContext(int n_threads, bool round)
      : kernels(kernel_table()),
        round_activations(round),
        pool(n_threads),
        worker_scratch(static_cast<size_t>(pool.size())) {}

  const KernelTable& kernels;
  bool round_activations;  // where the weights have such a kernel
  ThreadPool pool;
  std::vector<std::weak_ptr<Packable>> packables;
  int few_token_steps = 0;                    // that were prepared
  std::shared_ptr<const ProductOrder> order;  // of the last of them
  std::vector<AttentionKind> attentions;      // the distinct ones of the model's layers
  PackedReading reading;  // of the last product that settled its own, for those that can't try (experts)
  HugePages packed;       // matrices in the form that is quickest to read
  size_t pack_budget = available_memory() / 2;  // bytes that it may still grow by
  Scratch task_scratch;                         // of the operation that runs, seen by all its workers
  Scratch attend_scratch;                       // likewise, for attention's partial results
  std::vector<Scratch> worker_scratch;          // of each worker
};

using CpuContextPtr = std::shared_ptr<CpuContext>;

}  // namespace emelex::cpu
