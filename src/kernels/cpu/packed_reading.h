#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace emelex::cpu {

// How a product of one token reads a packed matrix. The results are the same bits in all ways.
struct PackedReading {
  bool streams = false;          // several groups of rows side by side, or one after another
  size_t prefetch_distance = 0;  // bytes by which it prefetches ahead of its loads; 0: does not prefetch
};

// Chooses the way for a product. Some processors keep up with the loads by themselves and are disturbed by prefetches,
// others read half as much again with them or with several streams, and it depends on how much a format computes with a
// byte (docs/decisions/0009-packed-matrices.md). So each product tries all ways in turn and keeps the one with the
// shortest time.
class PackedReadingTrials {
 public:
  // Of the next product.
  const PackedReading& reading() const { return kWays[settled() ? best_ : trials_ % kWays.size()]; }
  bool settled() const { return trials_ == kTrials; }
  // The last product, of one token, took so long. Only until it is settled.
  void took(std::chrono::nanoseconds time) {
    const size_t tried = trials_++ % kWays.size();
    if (time >= shortest_) return;
    shortest_ = time;
    best_ = tried;
  }

 private:
  static constexpr std::array<PackedReading, 7> kWays = {
      {{false, 0}, {false, 4096}, {false, 8192}, {true, 0}, {true, 1024}, {true, 2048}, {true, 4096}}};
  static constexpr size_t kTrials = 4 * kWays.size();

  size_t trials_ = 0;
  size_t best_ = 0;
  std::chrono::nanoseconds shortest_ = std::chrono::nanoseconds::max();
};

}  // namespace emelex::cpu
