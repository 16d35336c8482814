#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace emelex::cpu {

// The prefetch distance of a product: by how many bytes it prefetches a packed matrix ahead of its loads. Some
// processors keep up with the loads by themselves and are disturbed by prefetches, others read half as much again with
// them, and it depends on how much a format computes with a byte (docs/decisions/0009-packed-matrices.md). So each
// product of one token tries all distances in turn and keeps the one with the shortest time. The results are the same
// bits with all of them.
class PrefetchDistance {
 public:
  // Of the next product.
  size_t bytes() const { return kDistances[settled() ? best_ : trials_ % kDistances.size()]; }
  bool settled() const { return trials_ == kTrials; }
  // The last product, of one token, took so long. Only until it is settled.
  void took(std::chrono::nanoseconds time) {
    const size_t tried = trials_++ % kDistances.size();
    if (time >= shortest_) return;
    shortest_ = time;
    best_ = tried;
  }

 private:
  static constexpr std::array<size_t, 3> kDistances = {0, 4096, 8192};
  static constexpr size_t kTrials = 4 * kDistances.size();

  size_t trials_ = 0;
  size_t best_ = 0;
  std::chrono::nanoseconds shortest_ = std::chrono::nanoseconds::max();
};

}  // namespace emelex::cpu
