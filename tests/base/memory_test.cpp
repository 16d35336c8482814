#include "base/memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "base/faults.h"
#include "base/temporary_folder.h"

namespace emelex {
namespace {

TEST_CASE("Huge pages give zeroed memory, aligned, each piece apart from the others") {
  HugePages memory;
  std::vector<std::span<std::byte>> pieces;
  for (const size_t size : {size_t{1}, size_t{100}, size_t{64}, size_t{70} << 20, size_t{3}, size_t{5} << 20}) {
    const auto piece = memory.allocate(size);
    REQUIRE(piece.size() == size);
    CHECK(reinterpret_cast<uintptr_t>(piece.data()) % 64 == 0);
    CHECK(std::all_of(piece.begin(), piece.end(), [](std::byte b) { return b == std::byte{0}; }));
    pieces.push_back(piece);
    std::fill(piece.begin(), piece.end(), static_cast<std::byte>(pieces.size()));
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    CHECK(std::all_of(pieces[i].begin(), pieces[i].end(),
                      [&](std::byte b) { return b == static_cast<std::byte>(i + 1); }));
  }
}

TEST_CASE("More memory than there can be is bad_alloc") {
  HugePages memory;
  CHECK_THROWS_AS(memory.allocate(SIZE_MAX), std::bad_alloc);
  CHECK_THROWS_AS(memory.allocate(SIZE_MAX / 2), std::bad_alloc);
}

TEST_CASE("A mapping that the system refuses is bad_alloc, and changes nothing") {
  HugePages memory;
  const auto first = memory.allocate(100);
  faults::arm(faults::Call::map_memory, 1);
  CHECK_THROWS_AS(memory.allocate(size_t{100} << 20), std::bad_alloc);
  faults::disarm();
  const auto second = memory.allocate(100);
  CHECK(second.data() - first.data() == 128);
  CHECK(memory.allocated().size() == 2);
}

#if defined(__linux__)
// A machine with 8 GiB available, and its control groups.
struct Machine {
  Machine() { write("proc/meminfo", "MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n"); }
  void write(const std::filesystem::path& file, const std::string& text) const {
    std::filesystem::create_directories((folder.path() / file).parent_path());
    std::ofstream(folder.path() / file) << text;
  }
  size_t available() const { return available_memory(folder.path()); }
  TemporaryFolder folder;
};
constexpr size_t kMegabyte = 1 << 20;

TEST_CASE("Without a limit the machine's memory is available") {
  const Machine machine;
  CHECK(machine.available() == 8192 * kMegabyte);
  machine.write("sys/fs/cgroup/memory.max", "max\n");
  CHECK(machine.available() == 8192 * kMegabyte);
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(machine.available() == 8192 * kMegabyte);
}

TEST_CASE("A container has its limit less what it uses, but for file pages that can go") {
  const Machine machine;
  machine.write("proc/self/cgroup", "0::/\n");
  machine.write("sys/fs/cgroup/memory.max", "1073741824\n");
  CHECK(machine.available() == 1024 * kMegabyte);
  machine.write("sys/fs/cgroup/memory.current", "524288000\n");  // 500 MiB
  CHECK(machine.available() == 524 * kMegabyte);
  machine.write("sys/fs/cgroup/memory.stat", "anon 1\nfile 419430400\ninactive_file 314572800\n");  // 300 MiB
  CHECK(machine.available() == 824 * kMegabyte);
  machine.write("sys/fs/cgroup/memory.current", "2147483648\n");
  CHECK(machine.available() == 0);
}

TEST_CASE("Of nested groups the one with the least room counts") {
  const Machine machine;
  machine.write("proc/self/cgroup", "0::/a.slice/b.service\n");
  machine.write("sys/fs/cgroup/a.slice/memory.max", "1073741824\n");
  machine.write("sys/fs/cgroup/a.slice/memory.current", "943718400\n");  // 900 MiB
  machine.write("sys/fs/cgroup/a.slice/b.service/memory.max", "536870912\n");
  CHECK(machine.available() == 124 * kMegabyte);
  machine.write("sys/fs/cgroup/a.slice/memory.max", "max\n");
  CHECK(machine.available() == 512 * kMegabyte);
}

TEST_CASE("Limits of version 1 count as well, in a container with its host's path, too") {
  const Machine machine;
  machine.write("proc/self/cgroup", "12:cpu,cpuacct:/docker/1\n4:rdma,memory:/docker/1\n1:name=systemd:/docker/1\n");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  machine.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "209715200\n");
  machine.write("sys/fs/cgroup/memory/memory.stat", "inactive_file 5\ntotal_inactive_file 104857600\n");
  CHECK(machine.available() == 924 * kMegabyte);
  machine.write("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "104857600\n");
  CHECK(machine.available() == 100 * kMegabyte);
}

TEST_CASE("Nonsense in the system's files is no limit, and no machine none") {
  const Machine machine;
  machine.write("proc/self/cgroup", "\n:\n0:\n0::/../../x\nmemory\n");
  machine.write("sys/fs/cgroup/memory.max", "-\n");
  CHECK(machine.available() == 8192 * kMegabyte);
  const TemporaryFolder empty;
  CHECK(available_memory(empty.path()) == 0);
}

TEST_CASE("The memory that is available is some of the machine's") { CHECK(available_memory() > size_t{64} << 20); }
#endif

}  // namespace
}  // namespace emelex
