#include "base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <new>
#include <string>

namespace emelex {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMappingBytes = size_t{64} << 20;
constexpr size_t kAlignment = 64;

constexpr size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// The bytes that follow `key` in a file of lines "key number [kB]"; the largest number without.
[[maybe_unused]] size_t read_limit(const char* path, const std::string& key, size_t unit) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    size_t number = 0;
    if (key.empty() && word == "max") break;
    if (key.empty()) return std::stoull(word);
    if (word == key && file >> number) return number * unit;
  }
  return std::numeric_limits<size_t>::max();
}

}  // namespace

size_t available_memory() {
#if defined(__linux__)
  const size_t machine = read_limit("/proc/meminfo", "MemAvailable:", 1024);
  const size_t container = read_limit("/sys/fs/cgroup/memory.max", "", 1);
  const size_t least = std::min(machine, container);
  return least == std::numeric_limits<size_t>::max() ? 0 : least;
#else
  return 0;
#endif
}

HugePages::~HugePages() {
  for (const auto mapping : mappings_) ::munmap(mapping.data(), mapping.size());
}

std::span<std::byte> HugePages::allocate(size_t bytes) {
  const size_t size = round_up(bytes, kAlignment);
  if (size < bytes) throw std::bad_alloc();
  if (size > free_.size()) free_ = map(std::max(round_up(size, kHugePage), kMappingBytes));
  const auto result = free_.first(bytes);
  free_ = free_.subspan(size);
  return result;
}

// From the beginning of a huge page on.
std::span<std::byte> HugePages::map(size_t bytes) {
  const size_t all = bytes + kHugePage;
  void* address = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) throw std::bad_alloc();
  mappings_.emplace_back(static_cast<std::byte*>(address), all);
  const auto at = reinterpret_cast<uintptr_t>(address);
  const std::span<std::byte> aligned = mappings_.back().subspan(round_up(at, kHugePage) - at, bytes);
#if defined(MADV_HUGEPAGE)
  ::madvise(aligned.data(), aligned.size(), MADV_HUGEPAGE);  // a wish
#endif
  return aligned;
}

}  // namespace emelex
