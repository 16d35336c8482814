#include "base/memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

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

#if defined(__linux__)
TEST_CASE("The memory that is available is some of the machine's") { CHECK(available_memory() > size_t{64} << 20); }
#endif

}  // namespace
}  // namespace emelex
