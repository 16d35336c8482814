// Products on a GPU beside float64 ones of the dequantized weights; skipped where there is no GPU.
#include <doctest/doctest.h>

#include <cmath>

#include "emelex/error.h"
#include "kernels/cuda/cuda_array.h"
#include "kernels/cuda/cuda_matrix.h"
#include "kernels/cuda_test.h"
#include "kernels/kernel_test.h"

using namespace emelex;
using namespace emelex::test;
using namespace emelex::cuda;

namespace {

// Relative L2 of x Wᵀ + bias + residual against float64.
double product_error(const CudaContextPtr& context, const Stored& stored, int tokens, float x_spread, bool plus) {
  const auto rows = static_cast<int>(stored.tensor.rows());
  const auto columns = static_cast<int>(stored.tensor.columns());
  Device& device = *context->device;
  Random random(7);
  const auto x = random.normals(static_cast<size_t>(tokens) * static_cast<size_t>(columns), x_spread);
  const auto bias = random.normals(static_cast<size_t>(rows));
  const auto residual = random.normals(static_cast<size_t>(tokens) * static_cast<size_t>(rows));
  const auto upload = [&](const std::vector<float>& values, int n_rows, int n_columns) {
    auto array = make_array(context->device, n_rows, n_columns);
    device.upload(of(array).data(), values.data(), values.size() * sizeof(float));
    device.wait();
    return array;
  };
  const auto in = upload(x, tokens, columns);
  const auto b = upload(bias, 1, rows);
  const auto r = upload(residual, tokens, rows);
  const auto out = make_array(context->device, tokens, rows);
  const CudaMatrix matrix(context, {&stored.tensor});
  matrix.multiply(of(in), {of(out).data()}, {plus ? of(b).data() : 0}, plus ? of(r).data() : 0);
  const auto found = downloaded(device, of(out).data(), static_cast<size_t>(tokens) * static_cast<size_t>(rows));
  double error = 0;
  double norm = 0;
  for (int t = 0; t < tokens; ++t) {
    for (int row = 0; row < rows; ++row) {
      double sum = plus ? bias[static_cast<size_t>(row)] + residual[static_cast<size_t>(t * rows + row)] : 0.0;
      for (int k = 0; k < columns; ++k) {
        sum += static_cast<double>(x[static_cast<size_t>(t * columns + k)]) *
               stored.values[static_cast<size_t>(row * columns + k)];
      }
      const double difference = sum - found[static_cast<size_t>(t * rows + row)];
      error += difference * difference;
      norm += sum * sum;
    }
  }
  return std::sqrt(error / norm);
}

}  // namespace

TEST_CASE("GPU products of every type that is written are those of its values, for 1 to 130 tokens") {
  if (!has_gpu()) return;
  const auto context = std::make_shared<CudaContext>(std::make_shared<Device>());
  for (int i = 0; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<TensorType>(i);
    if (!can_quantize(type)) continue;
    CAPTURE(info(type).name);
    const int columns =
        info(type).block_size == 1 ? 333 : info(type).block_size * (info(type).block_size == 32 ? 21 : 3);
    const Stored stored(type, 75, columns, 3);
    for (const int tokens : {1, 3, 8, 9, 16, 31, 64, 65, 130}) {
      CAPTURE(tokens);
      CHECK(product_error(context, stored, tokens, 1.0F, tokens % 2 == 1) < 1e-3);
    }
  }
}

TEST_CASE("activations past float16's range come out finite and right") {
  if (!has_gpu()) return;
  const auto context = std::make_shared<CudaContext>(std::make_shared<Device>());
  const Stored stored(TensorType::q4_0, 64, 256, 4);
  for (const float spread : {1e4F, 1e6F, 1e20F}) {
    for (const int tokens : {1, 20, 100}) CHECK(product_error(context, stored, tokens, spread, false) < 1e-3);
  }
}

TEST_CASE("weights past float16's range are refused by name") {
  if (!has_gpu()) return;
  const auto context = std::make_shared<CudaContext>(std::make_shared<Device>());
  const Stored stored(TensorType::f32, 16, 64, 5, 1e5F);
  CHECK_THROWS_WITH_AS(CudaMatrix(context, {&stored.tensor}), doctest::Contains("weights"), emelex::Error);
}

TEST_CASE(
    "GPU products of several matrices at once are those of each, and the same bits where a float16 copy is kept") {
  if (!has_gpu()) return;
  const auto context = std::make_shared<CudaContext>(std::make_shared<Device>());
  Device& device = *context->device;
  const Stored first(TensorType::q4_k, 75, 768, 3);
  const Stored second(TensorType::q4_k, 90, 768, 4);
  const auto upload = [&](const std::vector<float>& values, int rows) {
    auto array = make_array(context->device, rows, static_cast<int>(values.size()) / rows);
    device.upload(of(array).data(), values.data(), values.size() * sizeof(float));
    device.wait();
    return array;
  };
  const auto first_bias = upload(Random(1).normals(75), 1);
  const auto second_bias = upload(Random(2).normals(90), 1);
  const CudaMatrix both(context, {&first.tensor, &second.tensor});
  const CudaMatrix kept(context, {&first.tensor, &second.tensor});
  const CudaMatrix alone(context, {&second.tensor});
  for (const int tokens : {65, 130, 300}) {  // of the last, a multiplication for each matrix
    CAPTURE(tokens);
    const auto in = upload(Random(5).normals(static_cast<size_t>(tokens) * 768, 1e5F), tokens);
    const auto products = [&](const CudaMatrix& matrix, bool has_first) {
      const auto one = make_array(context->device, tokens, 75);
      const auto two = make_array(context->device, tokens, 90);
      for (const auto& array : {one, two}) {
        device.fill(of(array).data(), 0xff, static_cast<size_t>(tokens * array.shape(1)) * sizeof(float));
      }
      std::vector<DevicePointer> outs{of(two).data()};
      std::vector<DevicePointer> biases{of(second_bias).data()};
      if (has_first) outs.insert(outs.begin(), of(one).data());
      if (has_first) biases.insert(biases.begin(), of(first_bias).data());
      matrix.multiply(of(in), outs, biases, 0);
      auto found = downloaded(device, of(one).data(), has_first ? static_cast<size_t>(tokens) * 75 : 0);
      const auto rest = downloaded(device, of(two).data(), static_cast<size_t>(tokens) * 90);
      found.insert(found.end(), rest.begin(), rest.end());
      return found;
    };
    context->spare_bytes = 0;
    const auto expected = products(both, true);
    const auto second_alone = products(alone, false);
    double error = 0;
    double norm = 0;
    for (size_t i = 0; i < second_alone.size(); ++i) {
      const double value = second_alone[i];
      const double difference = value - expected[expected.size() - second_alone.size() + i];
      error += difference * difference;
      norm += value * value;
    }
    CHECK(std::sqrt(error / norm) < 1e-5);
    for (const float value : expected) REQUIRE(std::isfinite(value));
    context->spare_bytes = 1 << 20;
    CHECK(products(kept, true) == expected);
    CHECK(products(kept, true) == expected);
    CHECK(context->spare_bytes == (tokens == 65 ? (1 << 20) - 11 * 16 * 768 * 2 : 1 << 20));
  }
}

TEST_CASE("what a matrix takes on a GPU is known without one: tiles of 16 by 64 weights with their scales") {
  const auto bytes = [](TensorType type, int rows, int columns) {
    Tensor tensor;
    tensor.type = type;
    tensor.shape = {rows, columns};
    return packed_bytes(tensor);
  };
  CHECK(bytes(TensorType::q4_0, 75, 96) == 5 * 2 * (512 + 64));
  CHECK(bytes(TensorType::q4_k, 16, 256) == 4 * (512 + 128));
  CHECK(bytes(TensorType::q6_k, 16, 256) == 4 * (1024 + 128));
  CHECK(bytes(TensorType::iq4_xs, 32, 64) == 2 * 2048);
  Tensor tensor;
  tensor.type = TensorType::q4_0;
  tensor.shape = {75, 96};
  CHECK(unpacked_bytes(tensor) == 80 * 128 * 2);
}
