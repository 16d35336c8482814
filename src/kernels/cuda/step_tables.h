#pragma once

#include <cstddef>
#include <functional>

#include "kernels/cuda/device.h"
#include "kernels/kv_memory.h"

namespace emelex::cuda {

// Tokens of a split of attention, source/attention.cu's SPLIT.
constexpr int kSplitTokens = 128;

// What a step's kernels read of the step, one buffer: a StepHeader for each group of layers, then the arrays that the
// headers point to. A header's offsets are from itself. The headers differ in the table of the blocks' addresses alone.
size_t table_bytes(const Step& step, const KvMemory& memory);

// Writes the tables to `to`. `address` has the addresses of the blocks in each group's pool.
using BlockAddress = std::function<DevicePointer(size_t group, int32_t number)>;
void fill_tables(const Step& step, const KvMemory& memory, const BlockAddress& address, std::byte* to);

// The tables of a step on the GPU.
class StepTables {
 public:
  explicit StepTables(DevicePtr device) : device_(std::move(device)) {}

  // Writes a step's tables over those of the step before, whose work must have been given out. `memory`'s pools are
  // CudaKvPools.
  void write(const Step& step, const KvMemory& memory);

  DevicePointer pointer() const { return memory_.pointer(); }
  // Of the step's longest sequence.
  int splits() const { return splits_; }
  // Changes whenever the buffer moves.
  int generation() const { return generation_; }

 private:
  DevicePtr device_;
  DeviceMemory memory_;
  PinnedMemory pinned_;
  int splits_ = 1;
  int generation_ = 0;
};

// The step with so many more tokens, of sequences of one token, that it has `rows` rows. Only where each sequence has
// one token and all are outputs. `n_groups`: of layers.
StepPtr pad_step(const Step& step, int rows, size_t n_groups);

}  // namespace emelex::cuda
