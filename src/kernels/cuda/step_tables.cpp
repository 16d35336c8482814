#include "kernels/cuda/step_tables.h"

#include <algorithm>
#include <cstring>

#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {
namespace {

// Lays arrays out one after another.
class Places {
 public:
  template <class T>
  int take(size_t count) {
    at_ = (at_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    const size_t place = at_;
    at_ += count * sizeof(T);
    return static_cast<int>(place);
  }
  size_t bytes() const { return at_; }

 private:
  size_t at_ = sizeof(StepHeader);
};

StepHeader lay_out(const Step& step, size_t& bytes) {
  StepHeader header{};
  header.rows = step.size();
  header.sequences = static_cast<int>(step.sequences.size());
  for (const StepSequence& s : step.sequences) {
    header.table_width = std::max(header.table_width, static_cast<int>(s.blocks.size()));
  }
  Places places;
  const size_t rows = step.tokens.size();
  header.tokens_at = places.take<int>(rows);
  header.positions_at = places.take<int>(rows);
  header.sequences_at = places.take<int>(rows);
  header.longer_at = places.take<int>(rows);
  header.outputs_at = places.take<int>(step.outputs.size());
  const size_t entries = step.sequences.size() * static_cast<size_t>(header.table_width);
  header.blocks_at = places.take<DevicePointer>(entries);
  header.windowed_at = places.take<DevicePointer>(entries);
  bytes = places.bytes();
  return header;
}

void fill(const Step& step, const StepHeader& header, const std::function<BlockAddresses(int32_t)>& block,
          std::byte* to) {
  const auto ints = [&](int at) { return reinterpret_cast<int*>(to + at); };
  const auto addresses = [&](int at) { return reinterpret_cast<DevicePointer*>(to + at); };
  std::memcpy(to, &header, sizeof(header));
  std::copy(step.tokens.begin(), step.tokens.end(), ints(header.tokens_at));
  std::copy(step.outputs.begin(), step.outputs.end(), ints(header.outputs_at));
  for (size_t i = 0; i < step.sequences.size(); ++i) {
    const StepSequence& s = step.sequences[i];
    for (int t = 0; t < s.count; ++t) {
      ints(header.positions_at)[s.first + t] = s.start + t;
      ints(header.sequences_at)[s.first + t] = static_cast<int>(i);
      ints(header.longer_at)[s.first + t] = s.longer ? 1 : 0;
    }
    for (size_t b = 0; b < s.blocks.size(); ++b) {
      const size_t at = i * static_cast<size_t>(header.table_width) + b;
      const BlockAddresses found = block(s.blocks[b]);
      addresses(header.blocks_at)[at] = found.all;
      addresses(header.windowed_at)[at] = found.windowed;
    }
  }
}

}  // namespace

void StepTables::prepare(const StepPtr& step, const std::function<BlockAddresses(int32_t)>& block) {
  if (step_ == step) return;
  size_t bytes = 0;
  const StepHeader header = lay_out(*step, bytes);
  device_->wait();  // for the copy of the tables before
  if (bytes > memory_.bytes()) {
    memory_ = DeviceMemory();
    memory_ = DeviceMemory(device_, std::max<size_t>(2 * bytes, size_t{1} << 20));
    ++generation_;
  }
  auto* image = static_cast<std::byte*>(pinned_.get(memory_.bytes()));
  fill(*step, header, block, image);
  device_->upload(memory_.pointer(), image, bytes);
  splits_ = 1;
  for (const StepSequence& s : step->sequences) {
    splits_ = std::max(splits_, (s.start + s.count - 1) / kSplitTokens + 1);
  }
  step_ = step;
}

StepPtr pad_step(const Step& step, int rows) {
  auto padded = std::make_shared<Step>(step);
  while (padded->size() < rows) {
    padded->outputs.push_back(padded->size());
    padded->sequences.push_back({padded->size(), 1, 0, {kNoBlock}, false});
    padded->tokens.push_back(0);
  }
  return padded;
}

}  // namespace emelex::cuda
