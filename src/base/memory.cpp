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

#if defined(__linux__)
// The largest number where there is none.
size_t container_limit() {
  size_t limit = 0;
  std::ifstream file("/sys/fs/cgroup/memory.max");  // a number, or "max"
  return file >> limit ? limit : std::numeric_limits<size_t>::max();
}
#endif

}  // namespace

size_t available_memory() {
#if defined(__linux__)
  size_t machine = 0;
  std::ifstream meminfo("/proc/meminfo");  // lines as "MemAvailable:   23829504 kB"
  for (std::string word; meminfo >> word;) {
    if (word == "MemAvailable:" && meminfo >> machine) return std::min(machine * 1024, container_limit());
  }
  return 0;
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
  allocated_.push_back(result);
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
