#include "base/memory.h"

#include <sys/mman.h>

#if defined(__APPLE__)
#include <mach/mach.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <new>
#include <string>

#include "base/faults.h"

namespace emelex {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMappingBytes = size_t{64} << 20;
constexpr size_t kAlignment = 64;

constexpr size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

#if defined(__linux__)
namespace fs = std::filesystem;

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

// The names of a control group's files, in the two versions of that interface.
struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* inactive_file;  // in memory.stat
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file"};

// A file's number; `none` where it has no number ("max") or is not there.
size_t read_number(const fs::path& file, size_t none) {
  std::ifstream input(file);
  size_t number = 0;
  return input >> number ? number : none;
}

// The number after a word in a file of such lines: "MemAvailable:   23829504 kB".
size_t read_entry(const fs::path& file, const std::string& name, size_t none) {
  std::ifstream input(file);
  for (std::string word; input >> word;) {
    size_t number = 0;
    if (word == name) return input >> number ? number : none;
  }
  return none;
}

// What a group may still take: its limit less what it uses, not counting pages of files that were not used lately,
// which the kernel gives up first.
size_t room_of_group(const fs::path& folder, const GroupFiles& files) {
  const size_t limit = read_number(folder / files.limit, kNoLimit);
  if (limit == kNoLimit) return kNoLimit;
  const size_t usage = read_number(folder / files.usage, 0);
  const size_t inactive = read_entry(folder / "memory.stat", files.inactive_file, 0);
  const size_t used = usage - std::min(usage, inactive);
  return limit - std::min(limit, used);
}

// The least room of the group `path` and those around it. In a container the path may be the host's, and the folder
// that of the container's own group: then only the folder itself is there.
size_t room_of_groups(const fs::path& mount, const fs::path& path, const GroupFiles& files) {
  fs::path folder = mount;
  size_t room = room_of_group(folder, files);
  for (const fs::path& part : path.relative_path()) {
    if (part == "..") continue;
    folder /= part;
    room = std::min(room, room_of_group(folder, files));
  }
  return room;
}

// What the control groups of this process leave it. /proc/self/cgroup has a line "ID:CONTROLLERS:PATH" for each
// hierarchy; version 2 has no controllers there.
size_t room_in_container(const fs::path& root) {
  const fs::path mounts = root / "sys/fs/cgroup";
  size_t room = std::min(room_of_group(mounts, kVersion2), room_of_group(mounts / "memory", kVersion1));
  std::ifstream input(root / "proc/self/cgroup");
  for (std::string line; std::getline(input, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path path = line.substr(second + 1);
    if (controllers == ",,") room = std::min(room, room_of_groups(mounts, path, kVersion2));
    if (controllers.find(",memory,") != std::string::npos) {
      room = std::min(room, room_of_groups(mounts / "memory", path, kVersion1));
    }
  }
  return room;
}
#endif

}  // namespace

size_t available_memory([[maybe_unused]] const std::filesystem::path& root) {
#if defined(__linux__)
  const size_t kilobytes = read_entry(root / "proc/meminfo", "MemAvailable:", 0);
  return std::min(kilobytes * 1024, room_in_container(root));
#elif defined(__APPLE__)
  vm_statistics64_data_t statistics{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  const auto result =
      ::host_statistics64(::mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&statistics), &count);
  if (result != KERN_SUCCESS) return 0;
  return (size_t{statistics.free_count} + statistics.inactive_count) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
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
  allocated_.reserve(allocated_.size() + 1);
  if (size > free_.size()) free_ = map(std::max(round_up(size, kHugePage), kMappingBytes));
  const auto result = free_.first(bytes);
  free_ = free_.subspan(size);
  allocated_.push_back(result);
  return result;
}

// From the beginning of a huge page on.
std::span<std::byte> HugePages::map(size_t bytes) {
  const size_t all = bytes + kHugePage;
  mappings_.reserve(mappings_.size() + 1);
  if (all < bytes || faults::fails(faults::Call::map_memory)) throw std::bad_alloc();
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
