#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace emelex {

// Bytes that this process could take without others being swapped out, as far as the system tells; 0 where it does not.
// On Linux the limits of its control groups count, of both versions and at all levels, less what is used of them.
// `root` is where /proc and /sys are; tests have their own.
size_t available_memory(const std::filesystem::path& root = "/");

// Memory for a few large arrays that live as long as it does, in huge pages where the system has them: a page table
// walk for every 4 KiB costs a tenth of the bandwidth and more, in a virtual machine up to a third.
class HugePages {
 public:
  HugePages() = default;
  ~HugePages();
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;

  // Aligned to 64 bytes, and zero. Throws std::bad_alloc.
  std::span<std::byte> allocate(size_t bytes);
  // All that was given out so far.
  std::span<const std::span<std::byte>> allocated() const { return allocated_; }

 private:
  std::span<std::byte> map(size_t bytes);

  std::vector<std::span<std::byte>> mappings_;
  std::vector<std::span<std::byte>> allocated_;
  std::span<std::byte> free_;  // the rest of the last
};

}  // namespace emelex
