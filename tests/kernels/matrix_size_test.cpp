// Sizes that kernels can't count are refused where a tensor becomes a matrix.
#include "kernels/matrix_size.h"

#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/mlx/mlx_backend.h"

using namespace emelex;

TEST_CASE("a matrix with more rows or columns than kernels count is refused by name, on each backend") {
  const std::vector<int64_t> shapes[] = {{int64_t{1} << 33, 32}, {32, int64_t{1} << 31}, {(int64_t{1} << 28) + 32, 32}};
  for (const auto& shape : shapes) {
    Tensor tensor{"blk.0.ffn_up.weight", TensorType::f32, shape, {}, nullptr};
    const auto refused = [](const auto& work) {
      expect_error(ErrorCode::unsupported, {"[kernels]", "blk.0.ffn_up.weight", "at most 268435456"}, work);
    };
    refused([&] { matrix_size(tensor); });
    refused([&] { cpu::make_cpu_backend(1, true)->linear({&tensor}); });
    refused([&] { mlx_backend::make_mlx_backend(mx::Device::cpu)->linear({&tensor}); });
    refused([&] {
      mlx_backend::make_mlx_backend(mx::Device::cpu)->norm({NormSpec::Kind::rms, &tensor, nullptr, 1e-5F});
    });
  }
}

TEST_CASE("a vocabulary of many millions is counted") {
  const MatrixSize size = matrix_size({"output.weight", TensorType::f32, {int64_t{1} << 24, 8192}, {}, nullptr});
  CHECK(size.rows == 1 << 24);
  CHECK(size.columns == 8192);
}
