// Matrix products of every format on one core: NAME/int8 or float/ROWSxCOLUMNS/TOKENS/INSTRUCTION SET.
#include <cstdlib>
#include <memory>

#include "micro.h"
#include "quant/mlx_quants.h"

namespace emelex::bench {
namespace {

struct Size {
  int rows;
  int columns;
};
// About SmolLM2-135M's MLP, which stays in the cache; Llama 3.2 3B's attention and down projection. 256 divides all.
constexpr Size kSizes[] = {{1536, 768}, {3072, 3072}, {3072, 8192}};
constexpr int kTokens[] = {1, 2, 4, 8, 64, 128};

struct Matrix {
  std::vector<std::byte> weights;
  std::vector<std::byte> scales;
  cpu::MatmulArgs args{};

  double bytes() const { return static_cast<double>(weights.size() + 2 * scales.size()); }
};

std::shared_ptr<Matrix> gguf_matrix(TensorType type, Size size) {
  auto matrix = std::make_shared<Matrix>();
  const size_t bytes = row_bytes(type, size.columns);
  matrix->weights = random_bytes(bytes * static_cast<size_t>(size.rows));
  matrix->args.row_bytes = bytes;
  return matrix;
}

std::shared_ptr<Matrix> mlx_matrix(const MlxFormat& format, Size size) {
  auto matrix = std::make_shared<Matrix>();
  const auto rows = static_cast<size_t>(size.rows);
  matrix->args.row_bytes = mlx_row_bytes(format, size.columns);
  matrix->weights = random_bytes(matrix->args.row_bytes * rows);
  const size_t scale_bytes = mlx_scale_row_bytes(format, size.columns);
  matrix->scales = random_bytes(scale_bytes * rows);
  const bool affine = format.mode == MlxMode::affine;
  matrix->args.mlx = {matrix->scales.data(), affine ? matrix->scales.data() : nullptr, scale_bytes, format};
  return matrix;
}

void run(benchmark::State& state, const cpu::KernelTable& table, cpu::MatmulFn kernel, bool int8, Matrix& matrix,
         Size size, int tokens) {
  const std::vector<float> x = random_floats(static_cast<size_t>(tokens * size.columns));
  std::vector<float> out(static_cast<size_t>(tokens * size.rows));
  std::vector<std::byte> memory(cpu::QuantizedActivations::bytes(tokens, size.columns) + 64);
  cpu::MatmulArgs args = matrix.args;
  args.weights = matrix.weights.data();
  args.rows = size.rows;
  args.columns = size.columns;
  args.x = x.data();
  args.x_stride = size.columns;
  args.tokens = tokens;
  args.out = out.data();
  if (int8) {
    args.activations = cpu::QuantizedActivations::over(memory.data(), tokens, size.columns,
                                                       table.tiled != nullptr ? cpu::kTileTokens : table.max_tile);
    args.tiled = table.tiled;
    for (int t = 0; t < tokens; ++t)
      table.quantize_activations(&x[static_cast<size_t>(t * size.columns)], t, args.activations);
  }
  const size_t scratch_bytes = (cpu::matmul_scratch_bytes(size.columns) + 63) / 64 * 64;
  const std::unique_ptr<std::byte, decltype(&std::free)> scratch(
      static_cast<std::byte*>(std::aligned_alloc(64, scratch_bytes)), &std::free);
  for (auto _ : state) {
    kernel(args, 0, size.rows, scratch.get());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  set_rates(state, matrix.bytes(), 2.0 * size.rows * size.columns * tokens);
}

using KernelOf = std::function<cpu::MatmulFn(const cpu::KernelTable&)>;

void add(const std::string& name, bool int8, const std::function<std::shared_ptr<Matrix>(Size)>& make,
         const KernelOf& kernel_of) {
  int count = 0;
  if (kernel_of(*cpu::available_tables(&count)[0]) == nullptr) return;
  for (const Size size : kSizes) {
    for (const int tokens : kTokens) {
      const std::string full = name + (int8 ? "/int8/" : "/float/") + std::to_string(size.rows) + "x" +
                               std::to_string(size.columns) + "/" + std::to_string(tokens);
      register_for_tables(full, [=](benchmark::State& state, const cpu::KernelTable& table) {
        const std::shared_ptr<Matrix> matrix = make(size);
        run(state, table, kernel_of(table), int8, *matrix, size, tokens);
      });
    }
  }
}

void add_gguf(TensorType type) {
  const auto make = [type](Size size) { return gguf_matrix(type, size); };
  const auto index = static_cast<size_t>(type);
  const std::string name(info(type).name);
  add(name, true, make, [index](const cpu::KernelTable& table) { return table.int8_matmul[index]; });
  add(name, false, make, [index](const cpu::KernelTable& table) { return table.float_matmul[index]; });
}

void add_mlx(const std::string& name, const MlxFormat& format) {
  const auto make = [format](Size size) { return mlx_matrix(format, size); };
  const auto index = static_cast<size_t>(cpu::mlx_kernel(format));
  add(name, true, make, [index](const cpu::KernelTable& table) { return table.mlx_int8_matmul[index]; });
  add(name, false, make, [index](const cpu::KernelTable& table) { return table.mlx_float_matmul[index]; });
}

}  // namespace
}  // namespace emelex::bench

int main(int argc, char** argv) {
  using namespace emelex;
  for (int i = 0; i < kTensorTypeCount; ++i) bench::add_gguf(static_cast<TensorType>(i));
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    bench::add_mlx("MLX-" + std::to_string(bits) + "bit", {MlxMode::affine, bits, 64, TensorType::f16});
  }
  for (const MlxMode mode : {MlxMode::mxfp4, MlxMode::mxfp8, MlxMode::nvfp4}) {
    bench::add_mlx("MLX-" + std::string(mlx_mode_name(mode)), default_mlx_format(mode));
  }
  return bench::run_benchmarks(argc, argv);
}
