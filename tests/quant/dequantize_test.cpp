#include "quant/dequantize.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
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
