#include "kernels/mlx/mlx_batch.h"

#include <algorithm>

namespace emelex::mlx_backend {
namespace {

bool consecutive(const std::vector<int32_t>& numbers) {
  return std::adjacent_find(numbers.begin(), numbers.end(), [](int32_t a, int32_t b) { return b != a + 1; }) ==
         numbers.end();
}

mx::array int_array(const std::vector<int32_t>& numbers) {
  return mx::array(numbers.data(), {static_cast<int>(numbers.size())}, mx::int32);
}

mx::array positions_of(const Step& step) {
  std::vector<int32_t> positions;
  for (const StepSequence& sequence : step.sequences) {
    for (int i = 0; i < sequence.count; ++i) positions.push_back(sequence.start + i);
  }
  return int_array(positions);
}

GroupPlacement place(const Step& step, const KvMemory& memory, size_t group) {
  GroupPlacement placement;
  for (const StepSequence& sequence : step.sequences) {
    const std::span<const int32_t> all = blocks_of(sequence, memory, group);
    const auto n = static_cast<std::ptrdiff_t>((sequence.start + sequence.count + kBlockTokens - 1) / kBlockTokens);
    GroupPlacement::Blocks blocks;
    while (blocks.first < n && all[static_cast<size_t>(blocks.first)] < 0) ++blocks.first;
    blocks.numbers.assign(all.begin() + blocks.first, all.begin() + n);
    for (int position = sequence.start; position < sequence.start + sequence.count; ++position) {
      const int32_t block = blocks.numbers[static_cast<size_t>(position / kBlockTokens - blocks.first)];
      placement.slots.rows.push_back(block * kBlockTokens + position % kBlockTokens);
    }
    if (!consecutive(blocks.numbers)) blocks.gather = int_array(blocks.numbers);
    placement.sequences.push_back(std::move(blocks));
  }
  placement.slots.consecutive = consecutive(placement.slots.rows);
  return placement;
}

}  // namespace

MlxBatch::MlxBatch(StepPtr given, const KvMemory& given_memory)
    : Batch(std::move(given)), memory(&given_memory), positions(positions_of(step())) {
  for (size_t group = 0; group < memory->pools.size(); ++group) groups.push_back(place(step(), *memory, group));
}

}  // namespace emelex::mlx_backend
