#include "quant/dequantize.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <utility>
#include <vector>

#include "base/expect_error.h"

namespace emelex {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> start, size_t size, int rest) {
  std::vector<std::byte> result;
  for (const int x : start) result.push_back(static_cast<std::byte>(x));
  result.resize(size, static_cast<std::byte>(rest));
  return result;
}

TEST_CASE("A Q4_0 block is a scale times values from -8 to 7, low halves of bytes first") {
  const auto block = bytes_of({0x00, 0x38, 0xF0}, 18, 0x98);  // scale 0.5
  std::array<float, 32> values{};
  dequantize(TensorType::q4_0, block, values);
  CHECK(values[0] == -4.0F);  // 0x0
  CHECK(values[16] == 3.5F);  // 0xF
  CHECK(values[1] == 0.0F);   // 0x8
  CHECK(values[17] == 0.5F);  // 0x9
}

TEST_CASE("A Q4_1 block is a minimum plus a scale times values from 0 to 15") {
  const auto block = bytes_of({0x00, 0x38, 0x00, 0xC0, 0xF0}, 20, 0x21);  // scale 0.5, minimum -2
  std::array<float, 32> values{};
  dequantize(TensorType::q4_1, block, values);
  CHECK(values[0] == -2.0F);
  CHECK(values[16] == 5.5F);
  CHECK(values[1] == -1.5F);
  CHECK(values[17] == -1.0F);
}

TEST_CASE("A Q8_0 block is a scale times signed bytes") {
  const auto block = bytes_of({0x00, 0x38, 0x80, 0x7F}, 34, 0xFF);
  std::array<float, 32> values{};
  dequantize(TensorType::q8_0, block, values);
  CHECK(values[0] == -64.0F);
  CHECK(values[1] == 63.5F);
  CHECK(values[31] == -0.5F);
}

TEST_CASE("A fifth bit is bit i of four bytes") {
  std::array<float, 32> values{};
  auto block = bytes_of({0x00, 0x3C, 0x01, 0x00, 0x00, 0x80}, 22, 0x21);  // scale 1, fifth bits 0 and 31
  dequantize(TensorType::q5_0, block, values);
  CHECK(values[0] == 1.0F);    // 16 + 1 - 16
  CHECK(values[1] == -15.0F);  // 1 - 16
  CHECK(values[31] == 2.0F);
  block = bytes_of({0x00, 0x3C, 0x00, 0x40, 0x01, 0x00, 0x00, 0x80}, 24, 0x21);  // minimum 2
  dequantize(TensorType::q5_1, block, values);
  CHECK(values[0] == 19.0F);
  CHECK(values[1] == 3.0F);
  CHECK(values[31] == 20.0F);
}

// A block of zeros with some bytes set.
std::vector<std::byte> block_with(TensorType type, std::initializer_list<std::pair<size_t, int>> bytes) {
  std::vector<std::byte> result(row_bytes(type, 256));
  for (const auto& [at, value] : bytes) result.at(at) = static_cast<std::byte>(value);
  return result;
}

std::vector<float> values_of(TensorType type, std::initializer_list<std::pair<size_t, int>> bytes) {
  std::vector<float> values(256);
  dequantize(type, block_with(type, bytes), values);
  return values;
}

TEST_CASE("Groups of a K-quant have their own scale and minimum") {
  // Q2_K: scale 3, minimum 2 of group 1, d = 1, dmin = 0.5; value 16 is the lowest two bits of byte 16
  const std::vector<float> q2 =
      values_of(TensorType::q2_k, {{1, 0x23}, {16 + 16, 0x02}, {80 + 1, 0x3C}, {82 + 1, 0x38}});
  CHECK(q2[15] == 0.0F);
  CHECK(q2[16] == 5.0F);  // 3 · 2 - 2 · 0.5
  CHECK(q2[17] == -1.0F);
  CHECK(q2[32] == 0.0F);

  // Q4_K: the 6 bits of group 4's scale are 4 low bits in byte 8 and 2 high bits above group 0's scale
  const std::vector<float> q4 = values_of(TensorType::q4_k, {{1, 0x3C}, {4 + 0, 0x80}, {4 + 8, 0x05}, {16 + 64, 0x0F}});
  CHECK(q4[128] == 37.0F * 15.0F);
  CHECK(q4[0] == 0.0F);

  // Q5_K: bit j of byte i is the fifth bit of value 32j + i
  const std::vector<float> q5 = values_of(TensorType::q5_k, {{1, 0x3C}, {4 + 1, 0x01}, {16 + 3, 0x02}});
  CHECK(q5[35] == 16.0F);
  CHECK(q5[36] == 0.0F);
}

TEST_CASE("K-quants without a minimum are signed") {
  const std::vector<float> q3 = values_of(TensorType::q3_k, {{109, 0x3C}});  // scales 0 - 32
  CHECK(q3[0] == 128.0F);                                                    // -32 · -4
  CHECK(q3[255] == 128.0F);
  const std::vector<float> q6 = values_of(TensorType::q6_k, {{192 + 15, 0xFF}, {63, 0xF0}, {209, 0x3C}});
  CHECK(q6[255] == 32.0F);  // -1 · -32
  CHECK(q6[239] == 0.0F);
}

TEST_CASE("Codes of four bits name values of a table") {
  const std::vector<float> nl = values_of(TensorType::iq4_nl, {{1, 0x3C}, {2, 0xF0}});
  CHECK(nl[0] == -127.0F);
  CHECK(nl[16] == 113.0F);
  const std::vector<float> xs = values_of(TensorType::iq4_xs, {{1, 0x3C}, {3, 0x80}, {7, 0x10}, {8 + 112, 0x0F}});
  CHECK(xs[224] == 113.0F);  // scale 33 - 32
  CHECK(xs[0] == -32.0F * -127.0F);
  const std::vector<float> mx = values_of(TensorType::mxfp4, {{0, 128}, {1, 0xF7}, {17, 0}, {18, 0x01}});
  CHECK(mx[0] == 12.0F);
  CHECK(mx[16] == -12.0F);
  CHECK(mx[32] == 0x1p-128F);  // exponent 0 is subnormal
}

TEST_CASE("Ternary blocks hold -1, 0 and 1 in base 3 or in two bits") {
  // 0.22222 in base 3 is 242/243: ceil(242 · 256 / 243) = 255
  const std::vector<float> tq1 = values_of(TensorType::tq1_0, {{0, 255}, {48, 255}, {53, 0x3C}});
  CHECK(tq1[0] == 1.0F);
  CHECK(tq1[128] == 1.0F);
  CHECK(tq1[1] == -1.0F);
  CHECK(tq1[240] == 1.0F);
  CHECK(tq1[252] == 1.0F);
  CHECK(tq1[255] == -1.0F);
  const std::vector<float> tq2 = values_of(TensorType::tq2_0, {{0, 0x24}, {65, 0x3C}});
  CHECK(tq2[0] == -1.0F);
  CHECK(tq2[32] == 0.0F);
  CHECK(tq2[64] == 1.0F);
}

TEST_CASE("Grid types have signs, seven of which say the eighth") {
  // IQ2_XXS: d = 1; scale (0.5 + 0) / 4; first sign set, so the eighth is set as well; place 0 is eight times 8
  const std::vector<float> xxs = values_of(TensorType::iq2_xxs, {{1, 0x3C}, {6, 0x01}});
  CHECK(xxs[0] == -1.0F);
  CHECK(xxs[1] == 1.0F);
  CHECK(xxs[7] == -1.0F);
  CHECK(xxs[8] == 1.0F);
  // IQ3_S has all signs; place 0 is four times 1
  const std::vector<float> s3 = values_of(TensorType::iq3_s, {{1, 0x3C}, {74, 0x80}});
  CHECK(s3[7] == -1.0F);
  CHECK(s3[0] == 1.0F);
  // IQ1_S: place 0 is eight times -1, shifted by an eighth up, or down where the highest bit is set
  const std::vector<float> s1 = values_of(TensorType::iq1_s, {{1, 0x3C}, {35, 0x80}});
  CHECK(s1[0] == -1.125F);
  CHECK(s1[32] == -0.875F);
  // IQ1_M: d's four parts lie above the scales
  const std::vector<float> m1 = values_of(TensorType::iq1_m, {{48 + 5, 0xC0}, {48 + 7, 0x30}, {32, 0x80}});
  CHECK(m1[0] == -0.875F);
  CHECK(m1[8] == -1.125F);
}

TEST_CASE("The last place of every grid is there") {
  const auto largest = [](TensorType type) {
    std::vector<std::byte> block(row_bytes(type, 256), std::byte{0xFF});
    block[0] = std::byte{0x00};  // d = 1 (IQ1_M's d is NaN, and its places come first)
    block[1] = std::byte{0x3C};
    std::vector<float> values(256);
    dequantize(type, block, values);
    return std::abs(values[255]);
  };
  CHECK(largest(TensorType::iq2_xxs) == 15.5F / 4 * 43);
  CHECK(largest(TensorType::iq2_xs) == 15.5F / 4 * 43);
  CHECK(largest(TensorType::iq2_s) == 15.5F / 4 * 43);
  CHECK(largest(TensorType::iq3_xxs) == 15.5F / 2 * 62);
  CHECK(largest(TensorType::iq3_s) == 31 * 15);
  CHECK(largest(TensorType::iq1_s) == 15 * 0.875F);
}

TEST_CASE("Any bytes are a block of every type, at any address") {
  std::mt19937 random(3);
  std::vector<std::byte> bytes(1 + row_bytes(TensorType::f32, 1024));
  std::vector<float> values(1024);
  for (int round = 0; round < 200; ++round) {
    for (std::byte& x : bytes) x = static_cast<std::byte>(round == 0 ? 0xFF : random());
    for (int i = 0; i < kTensorTypeCount; ++i) {
      const auto type = static_cast<TensorType>(i);
      const size_t n = row_bytes(type, 1024);
      dequantize(type, std::span(bytes).subspan(bytes.size() - n, n), values);  // up to the end of the memory
    }
  }
}

TEST_CASE("Plain numbers are read from any address") {
  const auto bytes = bytes_of({0xFF, 0x00, 0x00, 0xC0, 0xBF, 0x00, 0x3C}, 7, 0);
  const std::span<const std::byte> all(bytes);
  float value = 0;
  dequantize(TensorType::f32, all.subspan(1, 4), {&value, 1});
  CHECK(value == -1.5F);
  dequantize(TensorType::f16, all.subspan(5, 2), {&value, 1});
  CHECK(value == 1.0F);
  dequantize(TensorType::bf16, all.subspan(3, 2), {&value, 1});
  CHECK(value == -1.5F);
}

TEST_CASE("Sizes that do not belong together are an error, and nothing is read") {
  const auto block = bytes_of({}, 18, 0);
  std::array<float, 64> values{};
  expect_error(ErrorCode::invalid_argument, {"36 bytes", "got 18"},
               [&] { dequantize(TensorType::q4_0, block, values); });
  expect_error(ErrorCode::corrupt_file, {"32"}, [&] { dequantize(TensorType::q4_0, block, {values.data(), 16}); });
  dequantize(TensorType::q4_0, {}, {});
}

}  // namespace
}  // namespace emelex
