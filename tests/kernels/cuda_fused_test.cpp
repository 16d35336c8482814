// Products on a GPU with the norm before them and the gate after them in one launch, beside float64; skipped where
// there is no GPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "kernels/cuda/cuda_array.h"
#include "kernels/cuda/cuda_matrix.h"
#include "kernels/cuda_test.h"

using namespace emelex;
using namespace emelex::test;
using namespace emelex::cuda;

namespace {

constexpr float kEps = 1e-5F;

double gated(GateKind gate, double y, double up) {
  if (gate == GATE_SILU) return y / (1 + std::exp(-y)) * up;
  if (gate == GATE_GELU)
    return y / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (y + 0.044715 * y * y * y))) * up;
  const double g = std::min(y, 7.0);
  return g / (1 + std::exp(-1.702 * g)) * (std::clamp(up, -7.0, 7.0) + 1);
}

// RMSNorm(x) times each row, plus biases: [tokens][rows]
std::vector<double> normed_product(const std::vector<float>& x, const std::vector<float>& norm, const Stored& stored,
                                   std::span<const float> biases) {
  const size_t columns = norm.size();
  const size_t rows = biases.size();
  std::vector<double> result;
  for (size_t token = 0; token < x.size() / columns; ++token) {
    const auto row_of_x = std::span(x).subspan(token * columns, columns);
    double squares = 0;
    for (const float value : row_of_x) squares += static_cast<double>(value) * static_cast<double>(value);
    const double factor = 1 / std::sqrt(squares / static_cast<double>(columns) + static_cast<double>(kEps));
    for (size_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (size_t k = 0; k < columns; ++k) {
        sum += static_cast<double>(row_of_x[k]) * static_cast<double>(norm[k]) *
               static_cast<double>(stored.values[row * columns + k]);
      }
      result.push_back(sum * factor + static_cast<double>(biases[row]));
    }
  }
  return result;
}

double relative_error(const std::vector<float>& found, const std::vector<double>& expected) {
  double error = 0;
  double total = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += (expected[i] - static_cast<double>(found[i])) * (expected[i] - static_cast<double>(found[i]));
    total += expected[i] * expected[i];
  }
  return std::sqrt(error / total);
}

// The largest relative L2 of the results. The first is added to a residual.
double fused_error(const CudaContextPtr& context, const Stored& first, const Stored& second, int tokens,
                   std::optional<GateKind> gate) {
  const auto rows = static_cast<size_t>(first.tensor.rows());
  const auto columns = static_cast<size_t>(first.tensor.columns());
  const auto n = static_cast<size_t>(tokens);
  Device& device = *context->device;
  Random random(8);
  const auto x = random.normals(n * columns, 3.0F);
  const auto norm = random.normals(columns);
  const auto biases = random.normals(2 * rows);
  const auto residual = random.normals(n * rows);
  const auto upload = [&](std::span<const float> values, int array_rows) {
    auto array = make_array(context->device, array_rows, static_cast<int>(values.size()) / array_rows);
    device.upload(of(array).data(), values.data(), values.size_bytes());
    device.wait();
    return array;
  };
  const auto in = upload(x, tokens);
  const auto weights = upload(norm, 1);
  const auto b = upload(biases, 1);
  const auto r = upload(residual, tokens);
  const auto out = make_array(context->device, tokens, static_cast<int>(rows));
  const auto second_out = make_array(context->device, tokens, static_cast<int>(rows));
  const CudaMatrix matrix(context, {&first.tensor, &second.tensor});
  REQUIRE(matrix.has_fused(tokens, gate.has_value()));
  std::vector<DevicePointer> outs{of(out).data()};
  if (!gate) outs.push_back(of(second_out).data());
  for (const auto& array : {out, second_out}) device.fill(of(array).data(), 0xff, n * rows * sizeof(float));
  matrix.multiply_fused(of(in), {of(weights).data(), kEps, gate, of(r).data()}, outs,
                        {of(b).data(), of(b).data() + rows * sizeof(float)});
  auto expected = normed_product(x, norm, first, std::span(biases).first(rows));
  const auto other = normed_product(x, norm, second, std::span(biases).last(rows));
  for (size_t i = 0; i < expected.size(); ++i) {
    if (gate) expected[i] = gated(*gate, expected[i], other[i]);
    expected[i] += static_cast<double>(residual[i]);
  }
  const double error = relative_error(downloaded(device, of(out).data(), n * rows), expected);
  if (gate) return error;
  auto second_expected = other;
  // A residual belongs to products of one matrix; here it is added to both.
  for (size_t i = 0; i < other.size(); ++i) second_expected[i] += static_cast<double>(residual[i]);
  return std::max(error, relative_error(downloaded(device, of(second_out).data(), n * rows), second_expected));
}

}  // namespace

TEST_CASE("a GPU's product of few tokens includes the norm before it and the gate after it") {
  if (!has_gpu()) return;
  const auto context = std::make_shared<CudaContext>(std::make_shared<Device>());
  for (const TensorType type :
       {TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k,
        TensorType::q3_k, TensorType::q4_k, TensorType::q5_k, TensorType::q6_k, TensorType::f16}) {
    CAPTURE(info(type).name);
    // Of one, several and many pairs of column tiles, and of an odd number of tiles.
    for (const int columns : {256, 768, 4864, 14336}) {
      CAPTURE(columns);
      const Stored first(type, 75, columns, 3);
      const Stored second(type, 75, columns, 4);
      for (const int tokens : {1, 2, 8, 11, 32}) {
        if (columns > 5000 && tokens > 8) continue;
        CAPTURE(tokens);
        CHECK(fused_error(context, first, second, tokens, std::nullopt) < 1e-3);
        // Scales are rounded to float16, and two of these products are multiplied.
        CHECK(fused_error(context, first, second, tokens, GATE_SILU) < 2e-3);
      }
    }
  }
  const Stored narrow(TensorType::q4_0, 75, 32 * 9, 3);
  for (const GateKind gate : {GATE_SILU, GATE_GELU, GATE_CLAMPED}) {
    CAPTURE(gate);
    for (const int tokens : {1, 3}) CHECK(fused_error(context, narrow, narrow, tokens, gate) < 2e-3);
  }
  // So many row tiles that a block takes several.
  const Stored tall(TensorType::q4_0, 40000, 192, 3);
  for (const int tokens : {1, 5, 13}) CHECK(fused_error(context, tall, tall, tokens, std::nullopt) < 1e-3);
}

TEST_CASE("an activation that is not finite makes a GPU's fused product not finite, of its token alone") {
  if (!has_gpu()) return;
  const auto context = std::make_shared<CudaContext>(std::make_shared<Device>());
  const Stored stored(TensorType::q4_0, 75, 512, 3);
  const CudaMatrix matrix(context, {&stored.tensor});
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int tokens : {1, 3}) {
      std::vector<float> x(static_cast<size_t>(tokens) * 512, 1.0F);
      x[77] = odd;
      const auto in = make_array(context->device, tokens, 512);
      const auto out = make_array(context->device, tokens, 75);
      context->device->upload(of(in).data(), x.data(), x.size() * sizeof(float));
      context->device->wait();
      matrix.multiply_fused(of(in), {}, {of(out).data()}, {0});
      const auto found = downloaded(*context->device, of(out).data(), static_cast<size_t>(tokens) * 75);
      for (size_t i = 0; i < found.size(); ++i) CHECK(std::isfinite(found[i]) == (i >= 75));
    }
  }
}

TEST_CASE("activations far from 1 keep their precision in a GPU's fused products") {
  if (!has_gpu()) return;
  const auto context = std::make_shared<CudaContext>(std::make_shared<Device>());
  const Stored stored(TensorType::q4_0, 75, 512, 3);
  const CudaMatrix matrix(context, {&stored.tensor});
  for (const float spread : {1e-20F, 1e-6F, 1e6F, 1e20F}) {
    for (const int tokens : {1, 3}) {
      CAPTURE(spread);
      const auto n = static_cast<size_t>(tokens);
      const auto x = Random(9).normals(n * 512, spread);
      const auto in = make_array(context->device, tokens, 512);
      const auto out = make_array(context->device, tokens, 75);
      context->device->upload(of(in).data(), x.data(), x.size() * sizeof(float));
      context->device->wait();
      matrix.multiply_fused(of(in), {}, {of(out).data()}, {0});
      std::vector<double> expected;
      for (size_t token = 0; token < n; ++token) {
        for (size_t row = 0; row < 75; ++row) {
          double sum = 0;
          for (size_t k = 0; k < 512; ++k) {
            sum += static_cast<double>(x[token * 512 + k]) * static_cast<double>(stored.values[row * 512 + k]);
          }
          expected.push_back(sum);
        }
      }
      CHECK(relative_error(downloaded(*context->device, of(out).data(), n * 75), expected) < 1e-3);
    }
  }
}
