#include "base/likeliest.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace emelex;

TEST_CASE("the likeliest of logits is the first of the largest, in rows of any length") {
  for (const size_t n : {1, 31, 32, 33, 64, 1000}) {
    for (size_t at = 0; at < n; at += 7) {
      std::vector<float> logits(n, -3.0F);
      logits[at] = 2.0F;
      CHECK(likeliest_of(logits) == static_cast<int32_t>(at));
      logits.back() = 2.0F;
      CHECK(likeliest_of(logits) == static_cast<int32_t>(at));
    }
  }
}

TEST_CASE("NaN and -infinity are not the likeliest, and +infinity is the largest number") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kMost = std::numeric_limits<float>::max();
  const float nan = std::nanf("");
  CHECK(likeliest_of(std::vector<float>{nan, -kInfinity, -5, nan}) == 2);
  CHECK(likeliest_of(std::vector<float>{1, kMost, kInfinity}) == 1);
  CHECK(likeliest_of(std::vector<float>{1, kInfinity, kMost}) == 1);
  CHECK(likeliest_of(std::vector<float>{nan, -kInfinity}) == kNoToken);
  CHECK(likeliest_of(std::vector<float>(40, nan)) == kNoToken);
  CHECK(likeliest_of({}) == kNoToken);
}
