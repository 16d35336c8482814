#include "base/checked.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

namespace emelex {
namespace {

TEST_CASE("Sums and products that fit are given, others are nothing") {
  constexpr auto most = std::numeric_limits<uint64_t>::max();
  CHECK(checked_add<uint64_t>(most - 1, 1) == most);
  CHECK(checked_add<uint64_t>(most, 1) == std::nullopt);
  CHECK(checked_mul<uint64_t>(1ULL << 32, (1ULL << 32) - 1) == (1ULL << 32) * ((1ULL << 32) - 1));
  CHECK(checked_mul<uint64_t>(1ULL << 32, 1ULL << 32) == std::nullopt);
  CHECK(checked_mul<int64_t>(std::numeric_limits<int64_t>::min(), -1) == std::nullopt);
  CHECK(checked_add<int32_t>(-5, 3) == -2);
}

TEST_CASE("Rounding up to an alignment is checked too") {
  CHECK(checked_align_up<uint64_t>(0, 32) == 0);
  CHECK(checked_align_up<uint64_t>(1, 32) == 32);
  CHECK(checked_align_up<uint64_t>(32, 32) == 32);
  CHECK(checked_align_up<uint64_t>(std::numeric_limits<uint64_t>::max() - 3, 32) == std::nullopt);
}

}  // namespace
}  // namespace emelex
