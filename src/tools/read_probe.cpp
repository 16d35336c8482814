#include "tools/read_probe.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>

namespace emelex {
namespace {

constexpr size_t kChunk = size_t{1} << 20;  // what a thread takes at a time
constexpr size_t kChunksAtOnce = 256;       // some milliseconds
constexpr size_t kPrefetchDistance = 4096;
constexpr size_t kFewestChunks = 4 * kChunksAtOnce;  // fewer would lie in the last cache to a good part

std::atomic<uint64_t> sink;  // so that nothing is optimized away

// With sums that fit into the registers of any processor: in more of them it reads half as much.
template <bool kAsks>
uint64_t sum_of(std::span<const std::byte> chunk) {
  std::array<uint64_t, 16> sums{};
  const std::byte* end = chunk.data() + chunk.size() / sizeof(sums) * sizeof(sums);
  for (const std::byte* at = chunk.data(); at < end; at += sizeof(sums)) {
    if constexpr (kAsks) {
      for (size_t i = 0; i < sizeof(sums); i += 64) __builtin_prefetch(at + kPrefetchDistance + i);
    }
    std::array<uint64_t, 16> words;
    std::memcpy(words.data(), at, sizeof(words));
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += words[i];
  }
  uint64_t sum = 0;
  for (const uint64_t part : sums) sum += part;
  return sum;
}

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
    sink += prefetches_ ? sum_of<true>(chunk) : sum_of<false>(chunk);
  });
  Tally& tally = tallies_[prefetches_ ? 1 : 0];
  tally.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  tally.bytes += kChunksAtOnce * kChunk;
  next_ += kChunksAtOnce;
  prefetches_ = !prefetches_;
}

}  // namespace emelex
