#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace emelex::cpu {

// How far ahead of its loads a product asks for a packed matrix. Some processors keep up with the loads by themselves
// and are disturbed by being asked, others read half as much again when they are asked, and it depends on how much a
// format does with a byte (docs/decisions/0009-packed-matrices.md). So each product tries all distances in turn, with
// one token at a time, and stays with the one that was quickest at its best. The results do not depend on it.
class AskAhead {
 public:
  // For the next product.
  size_t distance() const { return kDistances[settled() ? best_ : trials_ % kDistances.size()]; }
  bool settled() const { return trials_ == kTrials; }
  // The last product, of one token, took so long. Not once it is settled.
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
