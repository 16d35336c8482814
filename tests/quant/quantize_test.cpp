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

std::vector<TensorType> writable_types() {
  std::vector<TensorType> types;
  for (int i = 0; i < kTensorTypeCount; ++i) {
    if (can_quantize(static_cast<TensorType>(i))) types.push_back(static_cast<TensorType>(i));
  }
  return types;
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

TEST_CASE("Every type but the read-only ones can be written") {
  CHECK(writable_types().size() == 18);
  CHECK_FALSE(can_quantize(TensorType::iq1_s));
  expect_error(ErrorCode::unsupported, {"IQ2_XS"}, [] { (void)quantize(TensorType::iq2_xs, random_values(256)); });
}

TEST_CASE("Zeros stay zeros") {
  const std::vector<float> zeros(512);
  for (const TensorType type : writable_types()) {
    CAPTURE(info(type).name);
    std::vector<float> back(512, 1.0F);
    dequantize(type, quantize(type, zeros), back);
    CHECK(back == zeros);
  }
}

TEST_CASE("A column that counts more comes back nearer") {
  const std::vector<float> values = random_values(64 * 256);
  std::vector<float> importance(256, 1.0F);
  for (size_t i = 0; i < 256; i += 8) importance[i] = 1000.0F;
  const auto error_of_important = [&](TensorType type, std::span<const float> weights) {
    std::vector<float> back(values.size());
    dequantize(type, quantize(type, values, weights), back);
    double sum = 0;
    for (size_t i = 0; i < values.size(); i += 8) sum += std::pow(back[i] - values[i], 2.0);
    return sum;
  };
  for (const TensorType type : {TensorType::q2_k, TensorType::q3_k, TensorType::q4_k, TensorType::q5_k,
                                TensorType::q6_k, TensorType::iq4_nl, TensorType::iq4_xs}) {
    CAPTURE(info(type).name);
    CHECK(error_of_important(type, importance) < 0.9 * error_of_important(type, {}));
  }
}

TEST_CASE("Importance that fits no row, or is no number, is an error") {
  const std::vector<float> values = random_values(512);
  const auto run = [&](std::vector<float> importance) { (void)quantize(TensorType::q4_k, values, importance); };
  CHECK_NOTHROW(run(std::vector<float>(256, 0.0F)));
  expect_error(ErrorCode::invalid_argument, {"768"}, [&] { run(std::vector<float>(768, 1.0F)); });
  std::vector<float> negative(256, 1.0F);
  negative[9] = -1.0F;
  expect_error(ErrorCode::invalid_argument, {"column 9"}, [&] { run(negative); });
}

TEST_CASE("A value that is not finite is found") {
  std::vector<float> values = random_values(64);
  CHECK_NOTHROW(require_finite(values));
  values[41] = -std::numeric_limits<float>::infinity();
  expect_error(ErrorCode::invalid_argument, {"-inf", "41"}, [&] { require_finite(values); });
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
  std::vector<float> values = random_values(256);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  values[4] = std::numeric_limits<float>::infinity();
  values[5] = std::numeric_limits<float>::denorm_min();
  values[6] = std::numeric_limits<float>::max();
  for (const TensorType type : writable_types()) {
    CAPTURE(info(type).name);
    CHECK(quantize(type, values).size() == row_bytes(type, 256));
  }
}

TEST_CASE("A row that is not a whole number of blocks is an error") {
  expect_error(ErrorCode::corrupt_file, {"32"}, [] { (void)quantize(TensorType::q8_0, random_values(40)); });
}

}  // namespace
}  // namespace emelex
