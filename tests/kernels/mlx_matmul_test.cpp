// The matrix products of MLX's formats, against MLX's own values.
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <cmath>

#include "kernels/emulated_tiles.h"
#include "kernels/matmul_setup.h"
#include "quant/half.h"
#include "quant/mlx_formats.h"
#include "quant/mlx_quants.h"

using namespace emelex;
using namespace emelex::test;

namespace mx = mlx::core;

namespace {

constexpr int kRows[] = {1, 5, 16, 33, 150};

std::vector<std::byte> stored_as(TensorType type, const std::vector<float>& values) {
  std::vector<std::byte> out;
  for (const float value : values) {
    const uint32_t bits = type == TensorType::f32   ? float_bits(value)
                          : type == TensorType::f16 ? float_to_half(value)
                                                    : float_to_bfloat16(value);
    for (int i = 0; i < info(type).block_bytes; ++i) out.push_back(static_cast<std::byte>(bits >> (8 * i)));
  }
  return out;
}

// A matrix of random values, with scales that a model would have, and its product.
struct MlxProduct {
  MlxFormat format;
  int rows;
  int columns;
  std::vector<std::byte> values;
  std::vector<std::byte> scales;
  std::vector<std::byte> biases;

  MlxProduct(const MlxFormat& f, int n_rows, int n_columns) : format(f), rows(n_rows), columns(n_columns) {
    Random random(static_cast<uint32_t>(rows * columns + format.bits));
    const auto n = static_cast<size_t>(rows * columns);
    const size_t groups = n / static_cast<size_t>(format.group_size);
    values = random.bytes(n / 8 * static_cast<size_t>(format.bits));
    if (format.mode == MlxMode::affine) {
      auto floats = random.normals(groups, 0.02F);
      for (float& x : floats) x = random.below(9) == 0 ? 0.0F : x;
      scales = stored_as(format.scale_type, floats);
      biases = stored_as(format.scale_type, random.normals(groups, 0.1F));
      return;
    }
    scales = random.bytes(groups);
    const auto is_nan = [](std::byte b) { return (b & std::byte{0x7F}) == std::byte{0x7F}; };  // in E4M3
    for (std::byte& b : scales) {
      if (format.mode != MlxMode::nvfp4) b = static_cast<std::byte>(118 + random.below(9));
      if (is_nan(b)) b = std::byte{0x80};
    }
    if (format.mode != MlxMode::mxfp8) return;
    for (std::byte& b : values) b = is_nan(b) ? std::byte{1} : b;
  }

  bool has_kernel(bool int8) const {
    if (int8 && columns % cpu::kActivationBlock != 0) return false;
    return kernel(scalar_table(), int8) != nullptr;
  }

  std::vector<float> run(const cpu::KernelTable& table, bool int8, const std::vector<std::vector<float>>& x,
                         const std::vector<float>& residual = {}) const {
    cpu::MatmulArgs matrix{};
    matrix.weights = values.data();
    matrix.row_bytes = mlx_row_bytes(format, columns);
    matrix.rows = rows;
    matrix.columns = columns;
    matrix.mlx = {scales.data(), biases.empty() ? nullptr : biases.data(), mlx_scale_row_bytes(format, columns),
                  format};
    const cpu::PackFn pack = int8 ? table.mlx_pack[cpu::mlx_kernel(format)] : nullptr;
    return run_matmul(table, kernel(table, int8), pack, int8, matrix, x, residual);
  }

  // MLX's values. It computes in the type of the scales: so that nothing is rounded to 16 bits, float32.
  std::vector<float> weights() const {
    if (columns % cpu::kActivationBlock != 0) {  // mx::dequantize takes no such rows
      std::vector<float> all(static_cast<size_t>(rows * columns));
      dequantize_mlx(format, values, scales, biases, all);
      return all;
    }
    const mx::Shape per_group{rows, columns / format.group_size};
    const mx::array packed(reinterpret_cast<const uint32_t*>(values.data()), {rows, columns * format.bits / 32},
                           mx::uint32);
    mx::array all(0.0F);
    if (format.mode == MlxMode::affine) {
      all =
          mx::dequantize(packed, floats(scales, per_group), floats(biases, per_group), format.group_size, format.bits);
    } else {
      const mx::array bytes(reinterpret_cast<const uint8_t*>(scales.data()), per_group, mx::uint8);
      all = mx::dequantize(packed, bytes, std::nullopt, format.group_size, format.bits,
                           std::string(mlx_mode_name(format.mode)), std::nullopt, mx::float32);
    }
    mx::eval(all);
    return {all.data<float>(), all.data<float>() + all.size()};
  }

 private:
  cpu::MatmulFn kernel(const cpu::KernelTable& table, bool int8) const {
    return (int8 ? table.mlx_int8_matmul : table.mlx_float_matmul)[cpu::mlx_kernel(format)];
  }
  mx::array floats(const std::vector<std::byte>& bytes, const mx::Shape& shape) const {
    std::vector<float> converted(bytes.size() / static_cast<size_t>(info(format.scale_type).block_bytes));
    dequantize(format.scale_type, bytes, converted);
    return mx::array(converted.data(), shape, mx::float32);
  }
};

// With fewer passes all affine formats have matrices of 33 rows; for the other sizes each width of weights has each
// size of groups and each type of scales once.
bool is_repeated(const MlxFormat& format, int rows) {
  if (!kFewerPasses || format.mode != MlxMode::affine || rows == 33) return false;
  const int type = format.scale_type == TensorType::f32 ? 0 : format.scale_type == TensorType::f16 ? 1 : 2;
  return (format.group_size / 64 + type + format.bits) % 3 != 0;
}

// Calls check(product, int8) for each format's kernels, over odd numbers of rows and groups.
template <class Check>
void for_each_product(const Check& check) {
  mx::set_default_device(mx::Device::cpu);
  for (const MlxFormat& format : test::all_mlx_formats()) {
    CAPTURE(mlx_mode_name(format.mode));
    CAPTURE(format.bits);
    CAPTURE(format.group_size);
    CAPTURE(info(format.scale_type).name);
    for (const int groups : {1, 2, 3, 5}) {
      const int columns = groups * format.group_size;
      if (columns > 384) continue;
      CAPTURE(columns);
      for (const int rows : kRows) {
        CAPTURE(rows);
        if (is_repeated(format, rows)) continue;
        const MlxProduct product(format, rows, columns);
        for (const bool int8 : {true, false}) {
          CAPTURE(int8);
          if (product.has_kernel(int8)) check(product, int8);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("every format of MLX has a kernel, and all but 8-bit floats one for rounded activations") {
  for_each_table([](const cpu::KernelTable& table) {
    for (const MlxFormat& format : test::all_mlx_formats()) {
      CAPTURE(mlx_mode_name(format.mode));
      CHECK((table.mlx_float_matmul[cpu::mlx_kernel(format)] != nullptr));
      CHECK((table.mlx_int8_matmul[cpu::mlx_kernel(format)] != nullptr) == (format.mode != MlxMode::mxfp8));
    }
  });
}

TEST_CASE("a product of MLX's weights is what double precision gives, within the rounding of activations") {
  Random random(7);
  double largest[2] = {};
  for_each_product([&](const MlxProduct& product, bool int8) {
    std::vector<std::vector<float>> x;
    for (int t = 0; t < 6; ++t) x.push_back(random.normals(static_cast<size_t>(product.columns)));
    const double error = normalized_error(product.run(scalar_table(), int8, x), multiply_exactly(product.weights(), x));
    // One row of one block may be a small difference of large products.
    const double room = product.rows < 16 ? 20 : 1;
    CHECK(error <= room * (int8 ? 5e-4 : 1e-11));
    if (product.rows >= 16) largest[int8 ? 1 : 0] = std::max(largest[int8 ? 1 : 0], error);
  });
  MESSAGE("normalized squared error at most ", largest[0], " with float activations, ", largest[1], " with rounded");
}

TEST_CASE("activations on a grid of 255 steps are multiplied with MLX's weights without error") {
  Random random(8);
  for_each_product([&](const MlxProduct& product, bool int8) {
    if (!int8) return;
    std::vector<float> x(static_cast<size_t>(product.columns));
    for (float& value : x) value = static_cast<float>(random.below(255) - 127) / 8;
    for (size_t i = 0; i < x.size(); i += 32) {
      x[i] = 127.0F / 8;
      x[i + 1] = -127.0F / 8;
    }
    const double error =
        normalized_error(product.run(scalar_table(), true, {x}), multiply_exactly(product.weights(), {x}));
    CHECK(error <= (product.rows < 16 ? 1e-9 : 1e-12));
  });
}

TEST_CASE("with MLX's formats every instruction set gives the scalar one's bits, whatever the activations and tiles") {
  for_each_product([](const MlxProduct& product, bool int8) {
    const auto rows = activation_rows(product.columns, 9);
    Random random(10);
    for (const int tokens : {1, 2, 5, 12, 20}) {
      if (tokens == 20 && (!int8 || product.rows != 33)) continue;  // for tiles
      CAPTURE(tokens);
      std::vector<std::vector<float>> x(rows.begin(), rows.begin() + std::min(tokens, 12));
      while (static_cast<int>(x.size()) < tokens) x.push_back(rows[x.size() - 12]);
      const auto residual =
          tokens % 2 == 0 ? random.normals(static_cast<size_t>(tokens * product.rows)) : std::vector<float>{};
      const auto expected = product.run(scalar_table(), int8, x, residual);
      for_each_table_and_tiles(
          [&](const cpu::KernelTable& table) { CHECK(same_bits(product.run(table, int8, x, residual), expected)); });
    }
  });
}

TEST_CASE("with MLX's formats a token's product does not depend on the tokens beside it") {
  for_each_product([](const MlxProduct& product, bool int8) {
    if (product.rows != 33) return;
    const auto x = activation_rows(product.columns, 11);
    for_each_table([&](const cpu::KernelTable& table) {
      const auto together = product.run(table, int8, x);
      for (size_t t = 0; t < x.size(); ++t) {
        const auto begin = together.begin() + static_cast<std::ptrdiff_t>(t) * product.rows;
        CHECK(same_bits(product.run(table, int8, {x[t]}), {begin, begin + product.rows}));
      }
    });
  });
}

TEST_CASE("every 8-bit float and every scale that is a byte is multiplied as MLX has it") {
  mx::set_default_device(mx::Device::cpu);
  for (const MlxMode mode : {MlxMode::mxfp4, MlxMode::mxfp8, MlxMode::nvfp4}) {
    CAPTURE(mlx_mode_name(mode));
    const MlxFormat format = default_mlx_format(mode);
    // A scale in each row, all of them but NaN; the first column's value is 1, and of mxfp8 each in its own row.
    for (const bool int8 : {true, false}) {
      MlxProduct product(format, 255, 32);
      if (!product.has_kernel(int8)) continue;
      const size_t row_bytes = product.values.size() / 255;
      std::fill(product.values.begin(), product.values.end(), std::byte{0});
      const size_t groups = product.scales.size() / 255;
      for (size_t row = 0; row < 255; ++row) {
        std::byte& first = product.values[row * row_bytes];
        const auto number = static_cast<std::byte>(row == 127 ? 0 : row);
        const bool scales = mode != MlxMode::mxfp8;
        first = scales ? std::byte{2} : number;
        for (size_t g = 0; g < groups; ++g) product.scales[row * groups + g] = scales ? number : std::byte{127};
      }
      std::vector<float> x(32);
      x[0] = 127.0F;
      x[1] = -127.0F;  // so that the first is rounded to itself
      const auto expected = product.weights();
      for_each_table([&](const cpu::KernelTable& table) {
        const auto got = product.run(table, int8, {x});
        for (size_t row = 0; row < 255; ++row) {
          const float wanted = 127.0F * expected[32 * row];
          CHECK((got[row] == wanted || std::abs(got[row] - wanted) <= 1e-6F * std::abs(wanted)));
        }
      });
    }
  }
}
