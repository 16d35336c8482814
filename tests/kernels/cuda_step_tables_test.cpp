// What kernels read of a step on a GPU, without one.
#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "kernels/cuda/cuda_kv_pool.h"
#include "kernels/cuda/source/layouts.h"
#include "kernels/cuda/step_tables.h"

using namespace emelex;
using namespace emelex::cuda;

namespace {

class NoPool : public KvPool {
 public:
  int grow(int wanted, int) override { return wanted; }
  int64_t block_bytes() const override { return 1; }
  void copy_block(int, int, int) override {}
};

KvMemory memory_of(size_t n_groups) {
  KvMemory memory;
  for (size_t i = 0; i < n_groups; ++i) memory.pools.push_back(std::make_unique<NoPool>());
  return memory;
}

DevicePointer address_of(size_t group, int32_t number) {
  return 1000 * (group + 1) + static_cast<DevicePointer>(number + 1);
}

// The tables of a step, read as a kernel of a group's layers does (source/prelude.cu, source/attention.cu).
class Tables {
 public:
  Tables(const Step& step, const KvMemory& memory) : bytes_(table_bytes(step, memory) + kGuard, std::byte{0x5a}) {
    fill_tables(step, memory, address_of, bytes_.data());
    for (size_t i = bytes_.size() - kGuard; i < bytes_.size(); ++i) CHECK(bytes_[i] == std::byte{0x5a});
  }

  StepHeader header(size_t group) const {
    StepHeader header;
    std::memcpy(&header, at(group), sizeof(header));
    return header;
  }
  int number(size_t group, int offset, int index) const {
    int value = 0;
    std::memcpy(&value, at(group) + offset + static_cast<std::ptrdiff_t>(index * sizeof(int)), sizeof(value));
    return value;
  }
  DevicePointer block(size_t group, int sequence, int position) const {
    const StepHeader h = header(group);
    const auto entry = static_cast<std::ptrdiff_t>(sequence) * h.table_width + position / kBlockTokens;
    const std::byte* from = at(group) + h.blocks_at + entry * static_cast<std::ptrdiff_t>(sizeof(DevicePointer));
    CHECK((from - bytes_.data()) % static_cast<std::ptrdiff_t>(sizeof(DevicePointer)) == 0);
    DevicePointer value = 0;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }

 private:
  static constexpr size_t kGuard = 64;
  const std::byte* at(size_t group) const { return bytes_.data() + group * sizeof(StepHeader); }

  std::vector<std::byte> bytes_;
};

// Sequence 0 has three tokens from position 126 on, sequence 1 one at position 5.
Step two_sequences(size_t n_groups) {
  Step step;
  step.tokens = {11, 12, 13, 21};
  step.outputs = {2, 3};
  step.sequences = {{0, 3, 126, {}, true}, {3, 1, 5, {}, false}};
  for (size_t g = 0; g < n_groups; ++g) {
    const auto first = static_cast<int32_t>(10 * g);
    const int32_t oldest = g == 1 ? kNoBlock : first;  // the second group has a window
    step.sequences[0].blocks.insert(step.sequences[0].blocks.end(), {oldest, first + 1, first + 2});
    step.sequences[1].blocks.push_back(first + 3);
  }
  return step;
}

}  // namespace

TEST_CASE("the kernels of each group of layers find the step's tokens and their own group's blocks") {
  for (const size_t n_groups : {1, 2, 3}) {
    CAPTURE(n_groups);
    const KvMemory memory = memory_of(n_groups);
    const Step step = two_sequences(n_groups);
    const Tables tables(step, memory);
    for (size_t g = 0; g < n_groups; ++g) {
      CAPTURE(g);
      const StepHeader h = tables.header(g);
      CHECK(h.rows == 4);
      CHECK(h.sequences == 2);
      const int positions[] = {126, 127, 128, 5};
      const int sequences[] = {0, 0, 0, 1};
      for (int row = 0; row < 4; ++row) {
        CHECK(tables.number(g, h.tokens_at, row) == step.tokens[static_cast<size_t>(row)]);
        CHECK(tables.number(g, h.positions_at, row) == positions[row]);
        CHECK(tables.number(g, h.sequences_at, row) == sequences[row]);
        CHECK(tables.number(g, h.long_rope_at, row) == (row < 3 ? 1 : 0));
      }
      for (int i = 0; i < 2; ++i) CHECK(tables.number(g, h.outputs_at, i) == step.outputs[static_cast<size_t>(i)]);
      const auto first = static_cast<int32_t>(10 * g);
      CHECK(tables.block(g, 0, 0) == address_of(g, g == 1 ? kNoBlock : first));
      CHECK(tables.block(g, 0, 127) == address_of(g, first + 1));
      CHECK(tables.block(g, 0, 128) == address_of(g, first + 2));
      CHECK(tables.block(g, 1, 5) == address_of(g, first + 3));
    }
  }
}

TEST_CASE("rows that fill up a step write to no sequence's block in any group") {
  const KvMemory memory = memory_of(3);
  Step step;
  step.tokens = {7, 8, 9};
  step.outputs = {0, 1, 2};
  for (int i = 0; i < 3; ++i) step.sequences.push_back({i, 1, 0, {i, i, i}, false});
  const StepPtr padded = pad_step(step, 4, 3);
  CHECK(padded->size() == 4);
  CHECK(padded->outputs == std::vector<int32_t>{0, 1, 2, 3});
  const Tables tables(*padded, memory);
  for (size_t g = 0; g < 3; ++g) {
    CHECK(tables.header(g).rows == 4);
    CHECK(tables.block(g, 2, 0) == address_of(g, 2));
    CHECK(tables.block(g, 3, 0) == address_of(g, kNoBlock));
  }
}

TEST_CASE("a step without layers that remember has its tokens all the same") {
  const Step step{{5, 6}, {{0, 2, 0, {}, false}}, {1}};
  const Tables tables(step, memory_of(0));
  const StepHeader h = tables.header(0);
  CHECK(h.table_width == 0);
  CHECK(tables.number(0, h.tokens_at, 1) == 6);
  CHECK(tables.number(0, h.outputs_at, 0) == 1);
}
