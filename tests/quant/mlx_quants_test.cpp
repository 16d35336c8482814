// The same numbers as MLX itself finds, bit for bit, in random bytes and in what MLX quantizes.
#include "quant/mlx_quants.h"

#include <doctest/doctest.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/expect_error.h"
#include "quant/half.h"
#include "quant/mlx_formats.h"

namespace emelex {
namespace {

namespace mx = mlx::core;

constexpr int kRows = 48;
constexpr int kColumns = 768;

struct Stored {
  MlxFormat format;
  std::vector<uint32_t> values;
  std::vector<std::byte> scales;
  std::vector<std::byte> biases;
};

std::vector<std::byte> random_scales(const MlxFormat& format, std::mt19937& random) {
  std::vector<std::byte> out(static_cast<size_t>(kRows * kColumns / format.group_size * mlx_scale_bytes(format)));
  for (std::byte& byte : out) byte = static_cast<std::byte>(random());  // subnormals, infinities and NaNs among them
  return out;
}

Stored random_matrix(const MlxFormat& format, std::mt19937& random) {
  Stored stored{format, std::vector<uint32_t>(static_cast<size_t>(kRows * kColumns * format.bits / 32)), {}, {}};
  for (uint32_t& word : stored.values) word = static_cast<uint32_t>(random());
  stored.scales = random_scales(format, random);
  if (format.mode == MlxMode::affine) stored.biases = random_scales(format, random);
  return stored;
}

std::vector<float> ours(const Stored& stored) {
  std::vector<float> out(kRows * kColumns);
  dequantize_mlx(stored.format, std::as_bytes(std::span(stored.values)), stored.scales, stored.biases, out);
  return out;
}

mx::array scale_array(const MlxFormat& format, const std::vector<std::byte>& bytes) {
  const mx::Shape shape{kRows, kColumns / format.group_size};
  const void* data = bytes.data();
  if (format.mode != MlxMode::affine) return mx::array(static_cast<const uint8_t*>(data), shape, mx::uint8);
  if (format.scale_type == TensorType::f32) return mx::array(static_cast<const float*>(data), shape, mx::float32);
  const auto bits = mx::array(static_cast<const uint16_t*>(data), shape, mx::uint16);
  return mx::view(bits, format.scale_type == TensorType::f16 ? mx::float16 : mx::bfloat16);
}

std::vector<float> floats_of(mx::array a) {
  a = mx::contiguous(mx::astype(a, mx::float32));
  mx::eval(a);
  return {a.data<float>(), a.data<float>() + a.size()};
}

std::vector<float> theirs(const Stored& stored) {
  const MlxFormat& format = stored.format;
  const mx::array values(stored.values.data(), {kRows, kColumns * format.bits / 32}, mx::uint32);
  const std::string mode(mlx_mode_name(format.mode));
  const mx::array scales = scale_array(format, stored.scales);
  if (format.mode != MlxMode::affine) {
    return floats_of(
        mx::dequantize(values, scales, std::nullopt, format.group_size, format.bits, mode, std::nullopt, mx::float32));
  }
  // MLX multiplies and adds in the type of the scales: so that nothing is rounded to 16 bits, float32.
  const mx::array biases = mx::astype(scale_array(format, stored.biases), mx::float32);
  return floats_of(
      mx::dequantize(values, mx::astype(scales, mx::float32), biases, format.group_size, format.bits, mode));
}

int different(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  int n = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    // A NaN's sign and payload depend on the processor.
    n += float_bits(a[i]) == float_bits(b[i]) || (std::isnan(a[i]) && std::isnan(b[i])) ? 0 : 1;
  }
  return n;
}

TEST_CASE("Every format is dequantized as MLX does it, whatever the bits are") {
  mx::set_default_device(mx::Device::cpu);
  std::mt19937 random(20240601);
  REQUIRE(test::all_mlx_formats().size() == 57);
  for (const MlxFormat& format : test::all_mlx_formats()) {
    INFO(mlx_mode_name(format.mode), ", ", format.bits, " bits in groups of ", format.group_size, ", scales of type ",
         info(format.scale_type).name);
    const Stored stored = random_matrix(format, random);
    CHECK(different(ours(stored), theirs(stored)) == 0);
  }
}

TEST_CASE("Every number and every scale of the small floats is MLX's") {
  mx::set_default_device(mx::Device::cpu);
  for (const MlxMode mode : {MlxMode::mxfp4, MlxMode::mxfp8, MlxMode::nvfp4}) {
    const MlxFormat format = default_mlx_format(mode);
    std::mt19937 random(1);
    Stored stored = random_matrix(format, random);
    // All 256 scales, each with all numbers of four bits, and of eight over the groups.
    for (size_t i = 0; i < stored.scales.size(); ++i) stored.scales[i] = static_cast<std::byte>(i);
    for (size_t i = 0; i < stored.values.size(); ++i) {
      stored.values[i] =
          mode == MlxMode::mxfp8 ? static_cast<uint32_t>(i) * 0x01010101U : (i % 2 == 0 ? 0x76543210U : 0xFEDCBA98U);
    }
    CHECK(stored.scales.size() >= 256);
    CHECK(different(ours(stored), theirs(stored)) == 0);
  }
}

TEST_CASE("What MLX quantizes comes back near") {
  mx::set_default_device(mx::Device::cpu);
  std::vector<float> values(kRows * kColumns);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (float& x : values) x = normal(random);
  const mx::array matrix(values.data(), {kRows, kColumns}, mx::float32);
  for (const MlxFormat& format : test::all_mlx_formats()) {
    if (format.mode == MlxMode::affine && format.scale_type != TensorType::f32) continue;
    auto parts = mx::quantize(matrix, format.group_size, format.bits, std::string(mlx_mode_name(format.mode)));
    for (mx::array& part : parts) mx::eval(part);
    Stored stored{format, {parts[0].data<uint32_t>(), parts[0].data<uint32_t>() + parts[0].size()}, {}, {}};
    const auto bytes = [](const mx::array& a) {
      const auto* data = a.data<std::byte>();
      return std::vector<std::byte>(data, data + a.nbytes());
    };
    stored.scales = bytes(parts[1]);
    if (parts.size() > 2) stored.biases = bytes(parts[2]);
    const std::vector<float> back = ours(stored);
    double error = 0;
    for (size_t i = 0; i < back.size(); ++i) error += std::pow(back[i] - values[i], 2.0);
    INFO(mlx_mode_name(format.mode), ", ", format.bits, " bits in groups of ", format.group_size);
    // A uniform step over six standard deviations; E2M1 and E4M3 have fewer effective bits.
    const double step = 8.0 / ((1 << std::min(format.bits, format.mode == MlxMode::mxfp8 ? 5 : 8)) - 1);
    CHECK(std::sqrt(error / static_cast<double>(back.size())) < step / 3);
  }
}

// The mean squared error of a stored matrix.
double squared_error(const Stored& stored, const std::vector<float>& values) {
  const std::vector<float> back = ours(stored);
  double error = 0;
  for (size_t i = 0; i < back.size(); ++i) error += std::pow(back[i] - values[i], 2.0);
  return error / static_cast<double>(back.size());
}

Stored stored_by_us(const MlxFormat& format, const std::vector<float>& values) {
  Stored stored{format, std::vector<uint32_t>(static_cast<size_t>(kRows * kColumns * format.bits / 32)), {}, {}};
  stored.scales.resize(static_cast<size_t>(kRows * kColumns / format.group_size * mlx_scale_bytes(format)));
  stored.biases.resize(stored.scales.size());
  quantize_mlx(format, values, std::as_writable_bytes(std::span(stored.values)), stored.scales, stored.biases);
  return stored;
}

Stored stored_by_mlx(const MlxFormat& format, const std::vector<float>& values) {
  const mx::Dtype dtype = format.scale_type == TensorType::f32   ? mx::float32
                          : format.scale_type == TensorType::f16 ? mx::float16
                                                                 : mx::bfloat16;
  const mx::array matrix = mx::astype(mx::array(values.data(), {kRows, kColumns}, mx::float32), dtype);
  auto parts = mx::quantize(matrix, format.group_size, format.bits);
  mx::eval(parts);
  const auto bytes = [](const mx::array& a) {
    return std::vector<std::byte>(a.data<std::byte>(), a.data<std::byte>() + a.nbytes());
  };
  return {format,
          {parts[0].data<uint32_t>(), parts[0].data<uint32_t>() + parts[0].size()},
          bytes(parts[1]),
          bytes(parts[2])};
}

TEST_CASE("What we quantize errs less than what MLX does") {
  mx::set_default_device(mx::Device::cpu);
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  std::student_t_distribution<float> heavy(3);
  std::uniform_real_distribution<float> positive(0.5F, 1.5F);
  for (const MlxFormat& format : test::all_mlx_formats()) {
    if (format.mode != MlxMode::affine) continue;
    INFO(format.bits, " bits in groups of ", format.group_size, ", scales of type ", info(format.scale_type).name);
    for (int kind = 0; kind < 3; ++kind) {
      CAPTURE(kind);
      std::vector<float> values(kRows * kColumns);
      for (float& x : values) x = kind == 0 ? 0.02F * normal(random) : kind == 1 ? heavy(random) : positive(random);
      CHECK(squared_error(stored_by_us(format, values), values) <=
            squared_error(stored_by_mlx(format, values), values));
    }
  }
}

TEST_CASE("Zeros and constants come back as they were") {
  mx::set_default_device(mx::Device::cpu);
  const MlxFormat format{MlxMode::affine, 4, 64, TensorType::f16};
  for (const float constant : {0.0F, 0.75F, -3.0F}) {
    const std::vector<float> values(kRows * kColumns, constant);
    CHECK(ours(stored_by_us(format, values)) == values);
  }
}

TEST_CASE("A format that MLX does not have is refused") {
  CHECK(mlx_mode_named("affine") == MlxMode::affine);
  CHECK(mlx_mode_named("nvfp4") == MlxMode::nvfp4);
  CHECK_FALSE(mlx_mode_named("q4_k"));
  for (const MlxFormat& wrong :
       {MlxFormat{MlxMode::affine, 1, 64}, MlxFormat{MlxMode::affine, 7, 64}, MlxFormat{MlxMode::affine, 9, 64},
        MlxFormat{MlxMode::affine, 4, 16}, MlxFormat{MlxMode::affine, 4, 0}, MlxFormat{MlxMode::affine, 4, -32},
        MlxFormat{MlxMode::affine, 4, 64, TensorType::q4_0}, MlxFormat{MlxMode::mxfp4, 4, 64},
        MlxFormat{MlxMode::mxfp4, 8, 32}, MlxFormat{MlxMode::mxfp8, 4, 32}, MlxFormat{MlxMode::nvfp4, 4, 32}}) {
    CHECK_FALSE(is_mlx_format(wrong));
    expect_error(ErrorCode::invalid_argument, {"a format of MLX"}, [&] { dequantize_mlx(wrong, {}, {}, {}, {}); });
  }
}

TEST_CASE("Bytes that are no whole groups are refused") {
  const MlxFormat format{MlxMode::affine, 4, 32, TensorType::f16};
  std::vector<std::byte> bytes(64);
  std::vector<float> to(64);
  const std::span<const std::byte> all(bytes);
  const auto run = [&](size_t values, size_t scales, size_t biases, size_t n) {
    dequantize_mlx(format, all.first(values), all.first(scales), all.first(biases), std::span(to).first(n));
  };
  CHECK_NOTHROW(run(32, 4, 4, 64));
  expect_error(ErrorCode::invalid_argument, {"values"}, [&] { run(31, 4, 4, 64); });
  expect_error(ErrorCode::invalid_argument, {"scales"}, [&] { run(32, 2, 4, 64); });
  expect_error(ErrorCode::invalid_argument, {"biases"}, [&] { run(32, 4, 0, 64); });
  expect_error(ErrorCode::invalid_argument, {"groups of 32"}, [&] { run(24, 2, 2, 48); });
}

}  // namespace
}  // namespace emelex
