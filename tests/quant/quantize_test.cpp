#include "quant/quantize.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/expect_error.h"
#include "quant/dequantize.h"

namespace emelex {
namespace {

std::vector<float> random_values(size_t n) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& x : values) x = normal(random);
  return values;
}

// The largest difference after a round trip, as a part of the largest value.
double worst_error(TensorType type) {
  const std::vector<float> values = random_values(4096);
  std::vector<float> back(values.size());
  dequantize(type, quantize(type, values), back);
  double worst = 0;
  double largest = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    worst = std::max<double>(worst, std::abs(values[i] - back[i]));
    largest = std::max<double>(largest, std::abs(values[i]));
  }
  return worst / largest;
}

TEST_CASE("What was quantized is back within half a step of its type") {
  CHECK(worst_error(TensorType::f32) == 0);
  CHECK(worst_error(TensorType::f16) < 0x1p-11);
  CHECK(worst_error(TensorType::bf16) < 0x1p-8);
  CHECK(worst_error(TensorType::q8_0) < 0.51 / 127);
  CHECK(worst_error(TensorType::q4_0) < 1.01 / 8);  // +8 has no step of its own
  CHECK(worst_error(TensorType::q4_1) < 0.51 * 2 / 15);
}

TEST_CASE("Zeros stay zeros") {
  const std::vector<float> zeros(64);
  for (const TensorType type : {TensorType::q4_0, TensorType::q4_1, TensorType::q8_0}) {
    std::vector<float> back(64, 1.0F);
    dequantize(type, quantize(type, zeros), back);
    CHECK(back == zeros);
  }
}

TEST_CASE("Quantizing what was dequantized gives the same bytes") {
  for (const TensorType type : {TensorType::q4_0, TensorType::q8_0, TensorType::f16, TensorType::bf16}) {
    const std::vector<std::byte> once = quantize(type, random_values(1024));
    std::vector<float> values(1024);
    dequantize(type, once, values);
    CHECK(quantize(type, values) == once);
  }
}

TEST_CASE("Numbers without a meaning in a block do no harm") {
  std::vector<float> values = random_values(32);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  values[4] = std::numeric_limits<float>::infinity();
  values[5] = std::numeric_limits<float>::denorm_min();
  for (const TensorType type : {TensorType::q4_0, TensorType::q4_1, TensorType::q8_0}) {
    CHECK(quantize(type, values).size() == row_bytes(type, 32));
  }
}

TEST_CASE("A row that is not a whole number of blocks is an error") {
  expect_error(ErrorCode::corrupt_file, {"32"}, [] { (void)quantize(TensorType::q8_0, random_values(40)); });
}

}  // namespace
}  // namespace emelex
