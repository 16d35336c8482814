#include "kernels/matmul_setup.h"

#include <algorithm>
#include <cstdlib>

#include "quant/half.h"

namespace emelex::test {
namespace {

void put_half(std::byte* at, float value) {
  const uint16_t half = float_to_half(value);
  std::memcpy(at, &half, 2);
}

// Where a type's blocks have their float16 numbers.
const std::map<TensorType, std::vector<size_t>>& half_offsets() {
  static const std::map<TensorType, std::vector<size_t>> offsets = {
      {TensorType::q4_0, {0}},    {TensorType::q4_1, {0, 2}},   {TensorType::q5_0, {0}},   {TensorType::q5_1, {0, 2}},
      {TensorType::q8_0, {0}},    {TensorType::q2_k, {80, 82}}, {TensorType::q3_k, {108}}, {TensorType::q4_k, {0, 2}},
      {TensorType::q5_k, {0, 2}}, {TensorType::q6_k, {208}},    {TensorType::iq4_nl, {0}}, {TensorType::iq4_xs, {0}},
      {TensorType::iq1_s, {0}},   {TensorType::iq2_xxs, {0}},   {TensorType::iq2_xs, {0}}, {TensorType::iq2_s, {0}},
      {TensorType::iq3_xxs, {0}}, {TensorType::iq3_s, {0}},     {TensorType::tq1_0, {52}}, {TensorType::tq2_0, {64}}};
  return offsets;
}

using Bytes = std::unique_ptr<std::byte, decltype(&std::free)>;

// Memory of exactly the size and alignment that is asked for, so that the sanitizers see what goes beyond.
Bytes aligned_bytes(size_t size) {
  return {static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64)), &std::free};
}

// A matrix packed, and arguments under which only the packed form gives its product.
class Packed {
 public:
  Packed(const cpu::KernelTable& table, cpu::PackFn pack, const cpu::MatmulArgs& args, std::byte* scratch)
      : group_bytes_(pack(args, 0, scratch)), memory_(nullptr, &std::free) {
    const int n_groups = (args.rows + table.packed_rows - 1) / table.packed_rows;
    memory_ = aligned_bytes(group_bytes_ * static_cast<size_t>(n_groups));
    for (int i = 0; i < n_groups; ++i) {
      const int row = std::min(i * table.packed_rows, args.rows - table.packed_rows);
      CHECK(pack(args, row, memory_.get() + static_cast<size_t>(i) * group_bytes_) == group_bytes_);
    }
    const auto rows = static_cast<size_t>(args.rows);
    wrong_.resize(rows * std::max(args.row_bytes, args.mlx.row_bytes), std::byte{0x5A});
  }

  void put_in_place(cpu::MatmulArgs& args) const {
    args.packed = memory_.get();
    args.packed_group_bytes = group_bytes_;
    args.weights = wrong_.data();
    if (args.mlx.scales != nullptr) args.mlx.scales = wrong_.data();
    if (args.mlx.biases != nullptr) args.mlx.biases = wrong_.data();
  }

 private:
  size_t group_bytes_;
  Bytes memory_;
  std::vector<std::byte> wrong_;
};

}  // namespace

std::vector<std::byte> random_blocks(TensorType type, size_t n_values, Random& random) {
  const auto size = static_cast<size_t>(info(type).block_size);
  const auto bytes = static_cast<size_t>(info(type).block_bytes);
  std::vector<std::byte> blocks = random.bytes(n_values / size * bytes);
  for (size_t at = 0; at < blocks.size(); at += bytes) {
    std::byte* block = blocks.data() + at;
    if (type == TensorType::f32) {
      const float value = random.normal();
      std::memcpy(block, &value, 4);
    } else if (type == TensorType::f16) {
      put_half(block, random.normal());
    } else if (type == TensorType::bf16) {
      const uint16_t value = float_to_bfloat16(random.normal());
      std::memcpy(block, &value, 2);
    } else if (type == TensorType::mxfp4) {
      block[0] = static_cast<std::byte>(120 + random.below(12));
    } else if (type == TensorType::iq1_m) {
      // The scale's four parts are the upper halves of four 16-bit numbers at 48.
      const uint16_t half = float_to_half(random.normal(0.02F));
      for (size_t i = 0; i < 4; ++i) {
        block[48 + 2 * i + 1] =
            (block[48 + 2 * i + 1] & std::byte{0x0F}) | static_cast<std::byte>(((half >> (4 * i)) & 15) << 4);
      }
    } else {
      // Now and then zero; either sign.
      for (const size_t offset : half_offsets().at(type))
        put_half(block + offset, random.below(9) == 0 ? 0.0F : random.normal(0.02F));
    }
  }
  return blocks;
}

std::vector<float> run_matmul(const cpu::KernelTable& table, cpu::MatmulFn kernel, cpu::PackFn pack, bool int8,
                              const cpu::MatmulArgs& matrix, const std::vector<std::vector<float>>& x,
                              const std::vector<float>& residual) {
  const auto tokens = static_cast<int>(x.size());
  const int columns = matrix.columns;
  const int padded = cpu::whole_lanes(columns);
  std::vector<float> flat(static_cast<size_t>(tokens * padded));
  for (size_t t = 0; t < x.size(); ++t)
    std::memcpy(&flat[t * static_cast<size_t>(padded)], x[t].data(), x[t].size() * 4);
  std::vector<float> memory(cpu::QuantizedActivations::bytes(tokens, padded) / 4 + 1);
  std::vector<float> out(static_cast<size_t>(tokens * matrix.rows));
  cpu::MatmulArgs args = matrix;
  args.x = flat.data();
  args.x_stride = padded;
  args.tokens = tokens;
  args.out = out.data();
  args.residual = residual.empty() ? nullptr : residual.data();
  if (int8) {
    args.activations = cpu::QuantizedActivations::over(reinterpret_cast<std::byte*>(memory.data()), tokens, columns,
                                                       table.tiled != nullptr ? cpu::kTileTokens : table.max_tile);
    args.tiled = table.tiled;
    for (int t = 0; t < tokens; ++t) table.quantize_activations(x[static_cast<size_t>(t)].data(), t, args.activations);
  }
  const auto scratch = aligned_bytes(cpu::matmul_scratch_bytes(columns));
  // In two parts, the second with the rows that fill no group.
  const int middle = matrix.rows / 2 / cpu::kLanes * cpu::kLanes;
  const auto multiply = [&] {
    kernel(args, 0, middle, scratch.get());
    kernel(args, middle, matrix.rows, scratch.get());
  };
  multiply();
  if (pack == nullptr || matrix.rows < table.packed_rows) return out;

  const std::vector<float> expected = out;
  const Packed packed(table, pack, args, scratch.get());
  packed.put_in_place(args);
  for (const bool streams : {false, true}) {
    for (const size_t distance : {0, 4096}) {
      if (kFewerPasses && streams != (distance != 0)) continue;
      std::fill(out.begin(), out.end(), 0.0F);
      args.streams = streams;
      args.prefetch_distance = distance;
      multiply();
      CHECK(same_bits(out, expected));
    }
  }
  return expected;
}

std::vector<double> multiply_exactly(const std::vector<float>& weights, const std::vector<std::vector<float>>& x) {
  std::vector<double> out;
  for (const auto& token : x) {
    for (size_t row = 0; row < weights.size(); row += token.size()) {
      double sum = 0;
      for (size_t c = 0; c < token.size(); ++c)
        sum += static_cast<double>(weights[row + c]) * static_cast<double>(token[c]);
      out.push_back(sum);
    }
  }
  return out;
}

cpu::MatmulArgs Product::args() const {
  cpu::MatmulArgs matrix{};
  matrix.weights = weights.data();
  matrix.row_bytes = row_bytes(type, columns);
  matrix.rows = rows;
  matrix.columns = columns;
  return matrix;
}

std::vector<float> Product::run(const cpu::KernelTable& table, bool int8, const std::vector<std::vector<float>>& x,
                                const std::vector<float>& residual) const {
  const auto* kernels = int8 ? table.int8_matmul : table.float_matmul;
  const auto* packers = int8 ? table.pack : table.float_pack;
  return run_matmul(table, kernels[static_cast<int>(type)], packers[static_cast<int>(type)], int8, args(), x, residual);
}

std::vector<float> Product::run_bf16(const cpu::KernelTable& table, const std::vector<std::vector<float>>& x) const {
  const auto stride = static_cast<size_t>(cpu::whole_lanes(columns));
  std::vector<uint16_t> rounded(x.size() * stride, 0xFFFF);
  for (size_t t = 0; t < x.size(); ++t) table.bf16.round(x[t].data(), columns, &rounded[t * stride]);
  cpu::MatmulArgs matrix = args();
  matrix.bf16_x = rounded.data();
  return run_matmul(table, table.bf16.matmul, table.float_pack[static_cast<int>(type)], false, matrix, x);
}

std::vector<double> Product::reference(const std::vector<std::vector<float>>& x) const {
  std::vector<float> matrix(static_cast<size_t>(rows) * static_cast<size_t>(columns));
  dequantize(type, weights, matrix);
  return multiply_exactly(matrix, x);
}

Product random_product(TensorType type, int rows, int columns, uint32_t seed) {
  Random random(seed);
  return {type, rows, columns, random_blocks(type, static_cast<size_t>(rows) * static_cast<size_t>(columns), random)};
}

double normalized_error(const std::vector<float>& a, const std::vector<double>& b) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += b[i] * b[i];
  }
  return norm > 0 ? difference / norm : difference;
}

}  // namespace emelex::test
