#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "base/thread_pool.h"

namespace emelex {

// How fast all threads together read memory and do nothing else with it: what a model that generates is bound by. It
// reads the very memory in which the weights lie, a bit at a time between steps, for what memory gives is another thing
// in another place and minute (in a virtual machine by a factor of two). It reads in four ways in turn: as one stream
// or as several, with prefetches and without. Which is quickest depends on the processor.
class ReadProbe {
 public:
  explicit ReadProbe(int threads) : pool_(threads) {}

  // Reads the next part of `memory`, from where it stopped the last time and round and round. Nothing where that is
  // less than would wash out what the caches hold.
  void read(std::span<const std::span<const std::byte>> memory);

  void start_over() { tallies_ = {}; }

  // Of all that was read since, in the quickest way; 0: nothing was.
  double bytes_per_second() const;

 private:
  struct Tally {
    size_t bytes = 0;
    double seconds = 0;
    double rate() const { return seconds > 0 ? static_cast<double>(bytes) / seconds : 0; }
  };

  ThreadPool pool_;
  size_t next_ = 0;  // chunk
  size_t way_ = 0;
  std::array<Tally, 4> tallies_{};  // of each way
};

}  // namespace emelex
