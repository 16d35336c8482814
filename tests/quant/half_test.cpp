#include "quant/half.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

namespace emelex {
namespace {

TEST_CASE("Every float16 that becomes a float32 comes back as the same bits, NaNs included") {
  int wrong = 0;
  for (uint32_t half = 0; half < 65536; ++half) {
    wrong += float_to_half(half_to_float(static_cast<uint16_t>(half))) != half ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("Float16 values are what the format's formula says") {
  int wrong = 0;
  for (uint32_t half = 0; half < 0x7C00; ++half) {  // finite and positive
    const int exponent = static_cast<int>(half >> 10);
    const double mantissa = half & 0x3FF;
    const double value = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    wrong += half_to_float(static_cast<uint16_t>(half)) != value ? 1 : 0;
    wrong += half_to_float(static_cast<uint16_t>(half | 0x8000U)) != -value ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(half_to_float(0x7C00) == std::numeric_limits<float>::infinity());
  CHECK(half_to_float(0xFC00) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(half_to_float(0x7C01)));
  CHECK(std::signbit(half_to_float(0x8000)));
}

TEST_CASE("Halfway between two float16 goes to the even one, and a bit beside it to the nearer") {
  int wrong = 0;
  for (uint32_t half = 0; half < 0x7BFF; ++half) {
    const float low = half_to_float(static_cast<uint16_t>(half));
    const float high = half_to_float(static_cast<uint16_t>(half + 1));
    const float middle = (low + high) / 2;  // exact
    wrong += float_to_half(middle) != half + (half & 1U) ? 1 : 0;
    wrong += float_to_half(std::nextafter(middle, low)) != half ? 1 : 0;
    wrong += float_to_half(std::nextafter(middle, high)) != half + 1 ? 1 : 0;
    wrong += float_to_half(-middle) != (0x8000U | (half + (half & 1U))) ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("Float16 overflows from 65,520 up and underflows to a zero that keeps its sign") {
  CHECK(float_to_half(65519.996F) == 0x7BFF);
  CHECK(float_to_half(65520.0F) == 0x7C00);
  CHECK(float_to_half(-3e38F) == 0xFC00);
  CHECK(float_to_half(std::numeric_limits<float>::infinity()) == 0x7C00);
  CHECK(float_to_half(0x1p-25F) == 0);  // a tie, and zero is even
  CHECK(float_to_half(std::nextafter(0x1p-25F, 1.0F)) == 1);
  CHECK(float_to_half(-std::numeric_limits<float>::denorm_min()) == 0x8000);
  CHECK((float_to_half(float_from_bits(0x7F800001)) & 0x7FFFU) > 0x7C00);  // a NaN whose payload has no room
}

TEST_CASE("Every bfloat16 comes back, except that NaNs become quiet") {
  int wrong = 0;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const bool is_nan = (bits & 0x7FFFU) > 0x7F80U;
    const uint32_t expected = is_nan ? bits | 0x40U : bits;
    wrong += float_to_bfloat16(bfloat16_to_float(static_cast<uint16_t>(bits))) != expected ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(float_to_bfloat16(float_from_bits(0x3F808000)) == 0x3F80);  // ties to even
  CHECK(float_to_bfloat16(float_from_bits(0x3F818000)) == 0x3F82);
  CHECK(float_to_bfloat16(std::numeric_limits<float>::max()) == 0x7F80);
}

#if defined(__GNUC__) && !defined(__clang__) && defined(__FLT16_MANT_DIG__)
#if defined(__aarch64__)
using CompilersHalf = __fp16;  // g++ 12 has no _Float16 on Arm
#else
using CompilersHalf = _Float16;
#endif
TEST_CASE("Random floats become the float16 that the compiler's own type gives") {
  std::mt19937 random(1);
  int wrong = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    const float x = float_from_bits(static_cast<uint32_t>(random()));
    if (std::isnan(x)) continue;
    const auto expected = static_cast<CompilersHalf>(x);
    wrong += float_to_half(x) != __builtin_bit_cast(uint16_t, expected) ? 1 : 0;
  }
  CHECK(wrong == 0);
}
#endif

}  // namespace
}  // namespace emelex
