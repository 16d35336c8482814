#include "kernels/cuda/step_tables.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/cuda/cuda_kv_pool.h"
#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {
namespace {

// Lays arrays out one after another.
class Layout {
 public:
  explicit Layout(size_t begin) : at_(begin) {}

  template <class T>
  int take(size_t count) {
    at_ = (at_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    const size_t begin = at_;
    at_ += count * sizeof(T);
    return static_cast<int>(begin);
  }
  size_t bytes() const { return at_; }

 private:
  size_t at_;
};

// Of each group of layers, and one where there is none. Offsets are from the buffer's start.
std::vector<StepHeader> lay_out(const Step& step, const KvMemory& memory, size_t& bytes) {
  const size_t n_groups = memory.pools.size();
  std::vector<StepHeader> headers(std::max<size_t>(1, n_groups));
  StepHeader& header = headers.front();
  header.rows = step.size();
  header.sequences = static_cast<int>(step.sequences.size());
  for (const StepSequence& s : step.sequences) {
    if (n_groups == 0) break;
    header.table_width = std::max(header.table_width, static_cast<int>(s.blocks.size() / n_groups));
  }
  Layout layout(headers.size() * sizeof(StepHeader));
  const size_t rows = step.tokens.size();
  header.tokens_at = layout.take<int>(rows);
  header.positions_at = layout.take<int>(rows);
  header.sequences_at = layout.take<int>(rows);
  header.long_rope_at = layout.take<int>(rows);
  header.outputs_at = layout.take<int>(step.outputs.size());
  const size_t entries = step.sequences.size() * static_cast<size_t>(header.table_width);
  for (StepHeader& of_group : headers) {
    of_group = header;
    of_group.blocks_at = layout.take<DevicePointer>(entries);
  }
  bytes = layout.bytes();
  return headers;
}

// The header of a group with offsets from itself, as kernels read them.
StepHeader from_itself(StepHeader header, size_t group) {
  const auto at = static_cast<int>(group * sizeof(StepHeader));
  for (int* offset : {&header.tokens_at, &header.positions_at, &header.sequences_at, &header.long_rope_at,
                      &header.outputs_at, &header.blocks_at}) {
    *offset -= at;
  }
  return header;
}

void fill_tokens(const Step& step, const StepHeader& header, std::byte* to) {
  const auto ints = [&](int at) { return reinterpret_cast<int*>(to + at); };
  std::copy(step.tokens.begin(), step.tokens.end(), ints(header.tokens_at));
  std::copy(step.outputs.begin(), step.outputs.end(), ints(header.outputs_at));
  for (size_t i = 0; i < step.sequences.size(); ++i) {
    const StepSequence& s = step.sequences[i];
    for (int t = 0; t < s.count; ++t) {
      ints(header.positions_at)[s.first + t] = s.start + t;
      ints(header.sequences_at)[s.first + t] = static_cast<int>(i);
      ints(header.long_rope_at)[s.first + t] = s.long_rope ? 1 : 0;
    }
  }
}

// The addresses of the sequences' blocks in a group.
void fill_blocks(const Step& step, const KvMemory& memory, size_t group, const BlockAddress& address,
                 const StepHeader& header, std::byte* to) {
  auto* table = reinterpret_cast<DevicePointer*>(to + header.blocks_at);
  for (const StepSequence& s : step.sequences) {
    const std::span<const int32_t> blocks = blocks_of(s, memory, group);
    std::transform(blocks.begin(), blocks.end(), table, [&](int32_t number) { return address(group, number); });
    table += header.table_width;
  }
}

}  // namespace

size_t table_bytes(const Step& step, const KvMemory& memory) {
  size_t bytes = 0;
  lay_out(step, memory, bytes);
  return bytes;
}

void fill_tables(const Step& step, const KvMemory& memory, const BlockAddress& address, std::byte* to) {
  size_t bytes = 0;
  const std::vector<StepHeader> headers = lay_out(step, memory, bytes);
  for (size_t group = 0; group < headers.size(); ++group) {
    const StepHeader header = from_itself(headers[group], group);
    std::memcpy(to + group * sizeof(StepHeader), &header, sizeof(StepHeader));
  }
  fill_tokens(step, headers.front(), to);
  for (size_t group = 0; group < memory.pools.size(); ++group) {
    fill_blocks(step, memory, group, address, headers[group], to);
  }
}

void StepTables::write(const Step& step, const KvMemory& memory) {
  const size_t bytes = table_bytes(step, memory);
  device_->wait();  // for the copy of the tables before
  if (bytes > memory_.bytes()) {
    memory_ = DeviceMemory();
    memory_ = DeviceMemory(device_, std::max<size_t>(2 * bytes, size_t{1} << 20));
    ++generation_;
  }
  auto* image = static_cast<std::byte*>(pinned_.get(memory_.bytes()));
  const auto address = [&](size_t group, int32_t number) {
    return static_cast<const CudaKvPool&>(*memory.pools[group]).block(number);
  };
  fill_tables(step, memory, address, image);
  device_->upload(memory_.pointer(), image, bytes);
  splits_ = 1;
  for (const StepSequence& s : step.sequences) {
    splits_ = std::max(splits_, (s.start + s.count - 1) / kSplitTokens + 1);
  }
}

StepPtr pad_step(const Step& step, int rows, size_t n_groups) {
  auto padded = std::make_shared<Step>(step);
  while (padded->size() < rows) {
    padded->outputs.push_back(padded->size());
    padded->sequences.push_back({padded->size(), 1, 0, std::vector<int32_t>(n_groups, kNoBlock), false});
    padded->tokens.push_back(0);
  }
  return padded;
}

}  // namespace emelex::cuda
