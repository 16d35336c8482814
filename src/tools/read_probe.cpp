#include "tools/read_probe.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>

namespace emelex {
namespace {

constexpr size_t kChunk = size_t{1} << 20;           // what a thread takes at a time
constexpr size_t kChunksAtOnce = 256;                // some milliseconds
constexpr size_t kFewestChunks = 4 * kChunksAtOnce;  // fewer would lie in the last cache to a good part

std::atomic<uint64_t> sink;  // so that nothing is optimized away

// Reads kStreams parts of it side by side. With sums that fit into the registers of any processor: in more of them it
// reads half as much.
template <size_t kStreams, size_t kPrefetchDistance>
uint64_t sum_of(std::span<const std::byte> chunk) {
  std::array<uint64_t, 16> sums{};
  static_assert(kChunk % (kStreams * sizeof(sums)) == 0);
  constexpr size_t kPart = kChunk / kStreams;
  for (size_t at = 0; at < kPart; at += sizeof(sums)) {
    for (size_t stream = 0; stream < kStreams; ++stream) {
      const std::byte* from = chunk.data() + stream * kPart + at;
      if constexpr (kPrefetchDistance > 0) {
        for (size_t i = 0; i < sizeof(sums); i += 64) __builtin_prefetch(from + kPrefetchDistance + i);
      }
      std::array<uint64_t, 16> words;
      std::memcpy(words.data(), from, sizeof(words));
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += words[i];
    }
  }
  uint64_t sum = 0;
  for (const uint64_t part : sums) sum += part;
  return sum;
}

using Way = uint64_t (*)(std::span<const std::byte> chunk);
constexpr std::array<Way, 4> kWays = {sum_of<1, 0>, sum_of<1, 4096>, sum_of<4, 0>, sum_of<4, 2048>};

}  // namespace

void ReadProbe::read(std::span<const std::span<const std::byte>> memory) {
  std::vector<std::span<const std::byte>> chunks;
  for (const auto part : memory) {
    for (size_t at = 0; at + kChunk <= part.size(); at += kChunk) chunks.push_back(part.subspan(at, kChunk));
  }
  if (chunks.size() < kFewestChunks) return;
  const auto begin = std::chrono::steady_clock::now();
  pool_.for_each(static_cast<int>(kChunksAtOnce), [&](int i, int) {
    const auto chunk = chunks[(next_ + static_cast<size_t>(i)) % chunks.size()];
    sink += kWays[way_](chunk);
  });
  Tally& tally = tallies_[way_];
  tally.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  tally.bytes += kChunksAtOnce * kChunk;
  next_ += kChunksAtOnce;
  way_ = (way_ + 1) % kWays.size();
}

double ReadProbe::bytes_per_second() const {
  double most = 0;
  for (const Tally& tally : tallies_) most = std::max(most, tally.rate());
  return most;
}

}  // namespace emelex
