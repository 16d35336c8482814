#include "tools/read_probe.h"

#include <doctest/doctest.h>

#include <vector>

namespace emelex {
namespace {

TEST_CASE("a probe reads parts of many sizes, and tells a rate that a machine may have") {
  const std::vector<std::byte> memory(size_t{1100} << 20);
  const std::span<const std::byte> all = memory;
  const std::vector<std::span<const std::byte>> parts = {all.first(100), all.subspan(100, size_t{700} << 20),
                                                         all.last(size_t{398} << 20)};
  ReadProbe probe(2);
  CHECK(probe.bytes_per_second() == 0);
  for (int i = 0; i < 6; ++i) probe.read(parts);  // more than once around
  CHECK(probe.bytes_per_second() > 1e7);
  CHECK(probe.bytes_per_second() < 1e13);
  probe.start_over();
  CHECK(probe.bytes_per_second() == 0);
}

TEST_CASE("memory that the caches hold to a good part is not probed") {
  const std::vector<std::byte> memory(size_t{64} << 20);
  const std::vector<std::span<const std::byte>> parts = {memory};
  ReadProbe probe(1);
  probe.read(parts);
  probe.read({});
  CHECK(probe.bytes_per_second() == 0);
}

}  // namespace
}  // namespace emelex
