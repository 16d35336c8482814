#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "tools/quantize/row_source.h"

namespace emelex {

// What is rounded between two writes to a file, in rows of that many columns: some megabytes.
inline int64_t rows_between_writes(int64_t columns) {
  constexpr int64_t kValues = 16 * 1024 * 1024;
  return std::max<int64_t>(1, kValues / columns);
}

// Threads that read rows of a tensor and do something with them, a piece that stays in the cache at a time.
class RowWorkers {
 public:
  explicit RowWorkers(int threads)
      : pool_(threads > 0 ? threads : physical_cores()), scratch_(static_cast<size_t>(pool_.size())) {}

  // Calls work(at, values) for pieces of rows [first, first + n), from any thread: `at` counts rows from `first`, and
  // `values` has whole rows. `fits_half` as in RowSource::read.
  template <class Work>
  void each_piece(const RowSource& source, int64_t first, int64_t n, bool fits_half, const Work& work) {
    constexpr int64_t kPieceValues = 64 * 1024;
    const int64_t piece = std::max<int64_t>(1, kPieceValues / source.columns());
    pool_.for_each(static_cast<int>((n + piece - 1) / piece), [&](int index, int worker) {
      const int64_t at = index * piece;
      std::vector<float>& values = scratch_[static_cast<size_t>(worker)];
      values.resize(static_cast<size_t>(std::min(piece, n - at) * source.columns()));
      source.read(first + at, values, fits_half);
      work(at, std::span<const float>(values));
    });
  }

 private:
  ThreadPool pool_;
  std::vector<std::vector<float>> scratch_;  // of each worker
};

}  // namespace emelex
