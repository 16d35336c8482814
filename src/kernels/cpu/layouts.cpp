// How the memory that kernels work on is laid out, and the reference that widens rows: kernel_table.h.
#include <span>

#include "kernels/cpu/kernel_table.h"
#include "quant/dequantize.h"

namespace emelex::cpu {

QuantizedActivations QuantizedActivations::over(std::byte* memory, int tokens, int columns, int max_tile) {
  const size_t n = static_cast<size_t>(tokens) * static_cast<size_t>(columns);
  const size_t blocks = n / kActivationBlock;
  auto* floats = reinterpret_cast<float*>(memory);
  auto* int_sums = reinterpret_cast<int32_t*>(floats + 5 * blocks);
  auto* values = reinterpret_cast<int8_t*>(int_sums + 3 * blocks);
  auto* wide = reinterpret_cast<uint8_t*>(values + 2 * n);
  return {floats,
          floats + blocks,
          floats + 2 * blocks,
          floats + 3 * blocks,
          int_sums,
          int_sums + blocks,
          values,
          values + n,
          wide,
          tokens,
          columns,
          max_tile};
}

void dequantize_block(TensorType type, const uint8_t* block, float* out) {
  const TensorTypeInfo& layout = info(type);
  dequantize(type, {reinterpret_cast<const std::byte*>(block), static_cast<size_t>(layout.block_bytes)},
             {out, static_cast<size_t>(layout.block_size)});
}

void dequantize_mlx_row(const MatmulArgs& args, int row, float* out) {
  const auto rows = static_cast<size_t>(row);
  const auto bytes_of = [&](const std::byte* all, size_t bytes) { return std::span(all + rows * bytes, bytes); };
  std::span<const std::byte> biases;
  if (args.mlx.biases != nullptr) biases = bytes_of(args.mlx.biases, args.mlx.row_bytes);
  dequantize_mlx(args.mlx.format, bytes_of(args.weights, args.row_bytes), bytes_of(args.mlx.scales, args.mlx.row_bytes),
                 biases, {out, static_cast<size_t>(args.columns)});
}

size_t KvLayout::head_bytes() const {
  const auto dim = static_cast<size_t>(padded_dim());
  switch (dtype) {
    case KvDtype::f16:
      return kBlockTokens * dim * sizeof(uint16_t);
    case KvDtype::f32:
      return kBlockTokens * dim * sizeof(float);
    case KvDtype::q8_0:
      return kBlockTokens * (dim + static_cast<size_t>(scales()) * sizeof(uint16_t));
  }
  __builtin_unreachable();
}

}  // namespace emelex::cpu
