#include "kernels/cpu/cpu_matrix.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/matrix_size.h"

namespace emelex::cpu {
namespace {

// The kernel for a tensor's type, or nullptr.
MatmulFn find_kernel(const KernelTable& kernels, const Tensor& tensor, Activations activations) {
  const bool int8 = activations == Activations::int8;
  if (activations == Activations::bf16) return tensor.type == TensorType::bf16 ? kernels.bf16.matmul : nullptr;
  if (!tensor.mlx) return (int8 ? kernels.int8_matmul : kernels.float_matmul)[static_cast<int>(tensor.type)];
  // Of MLX's groups some are narrower than the activations' blocks.
  if (int8 && tensor.columns() % kActivationBlock != 0) return nullptr;
  const int kernel = mlx_kernel(tensor.mlx->format);  // apart: g++ 12 with sanitizers warns of the whole expression
  return int8 ? kernels.mlx_int8_matmul[kernel] : kernels.mlx_float_matmul[kernel];
}

// What packs a matrix for that kernel, or nullptr.
PackFn find_packer(const KernelTable& kernels, const Tensor& tensor, Activations activations) {
  const bool int8 = activations == Activations::int8;
  if (tensor.rows() < kernels.packed_rows) return nullptr;
  if (!tensor.mlx) return (int8 ? kernels.pack : kernels.float_pack)[static_cast<int>(tensor.type)];
  return int8 ? kernels.mlx_pack[mlx_kernel(tensor.mlx->format)] : nullptr;
}

// Where a block has two scales, or shares one with the next, products without tiles are as quick
// (docs/decisions/0033-amx-tiles.md).
bool gains_by_tiles(const Tensor& tensor) {
  if (tensor.mlx) return tensor.mlx->format.group_size == kActivationBlock;
  return tensor.type != TensorType::q2_k && tensor.type != TensorType::q3_k && tensor.type != TensorType::q6_k;
}

int groups_of(const KernelTable& kernels, const CpuMatrix& matrix) {
  return (matrix.rows + kernels.packed_rows - 1) / kernels.packed_rows;
}

// A packed form that is larger than this share of the file's is read in no less time.
constexpr double kMostPackedShare = 1.06;
constexpr size_t kBytesAtOnce = size_t{16} << 20;

// Chunks of rows per thread: enough that a thread which was held up costs little, few enough that taking them does.
constexpr int kChunksPerThread = 32;
constexpr int kChunkGroups = 4;  // that a kernel may read side by side

}  // namespace

CpuMatrix make_matrix(const CpuContext& context, const Tensor& tensor) {
  const KernelTable& kernels = context.kernels;
  Activations activations = Activations::float32;
  if (context.round_activations) {
    for (const Activations rounded : {Activations::int8, Activations::bf16}) {
      if (find_kernel(kernels, tensor, rounded) != nullptr) activations = rounded;
    }
  }
  const MatmulFn kernel = find_kernel(kernels, tensor, activations);
  if (kernel == nullptr) {
    throw Error(ErrorCode::unsupported,
                str_cat("[kernels] no CPU kernel for the type ", tensor.type_name(), " of ", tensor.name));
  }
  const MatrixSize size = matrix_size(tensor);
  return {tensor.file,
          tensor.data,
          tensor.row_bytes(),
          size.rows,
          size.columns,
          kernel,
          find_packer(kernels, tensor, activations),
          activations,
          kernels.tiled != nullptr && activations == Activations::int8 && gains_by_tiles(tensor),
          tensor.mlx};
}

MatmulArgs CpuMatrix::args() const {
  MatmulArgs args{};
  args.weights = data.data();
  args.row_bytes = row_bytes;
  args.rows = rows;
  args.columns = columns;
  args.packed = packed;
  args.packed_group_bytes = packed_group_bytes;
  if (parts != nullptr) {
    args.mlx = {parts->scales.data(), parts->biases.data(), mlx_scale_row_bytes(parts->format, columns), parts->format};
  }
  return args;
}

std::span<const std::byte> CpuMatrix::bytes_of(const KernelTable& kernels, int row, int row_end) const {
  const auto first = static_cast<size_t>(row);
  const auto end = static_cast<size_t>(row_end);
  if (packed == nullptr) return data.subspan(first * row_bytes, (end - first) * row_bytes);
  const auto group = static_cast<size_t>(kernels.packed_rows);
  return {packed + first / group * packed_group_bytes, (end - first) / group * packed_group_bytes};
}

void pack_matrix(CpuContext& context, CpuMatrix& matrix) {
  if (matrix.pack == nullptr || matrix.packed != nullptr) return;
  const MatmulArgs args = matrix.args();
  const int group_rows = context.kernels.packed_rows;
  const int n_groups = groups_of(context.kernels, matrix);
  const size_t file_bytes = matrix.data.size() + (matrix.parts ? matrix.parts->scales.size() : 0) +
                            (matrix.parts ? matrix.parts->biases.size() : 0);
  const PackFn pack = std::exchange(matrix.pack, nullptr);  // packed below, or never
  size_t group_bytes = 0;
  size_t bytes = 0;
  std::byte* memory = nullptr;
  try {
    group_bytes = pack(args, 0, context.worker_scratch[0].get(matmul_scratch_bytes(matrix.columns)));
    bytes = group_bytes * static_cast<size_t>(n_groups);
    if (static_cast<double>(bytes) > kMostPackedShare * static_cast<double>(file_bytes)) return;
    if (bytes > context.pack_budget) return;
    memory = context.packed.allocate(bytes).data();
  } catch (const std::bad_alloc&) {
    return;  // packing only saves time: without memory the products read the file
  }
  context.pack_budget -= bytes;
  // In parts, so that no large matrix is in memory twice.
  const int groups_at_once = static_cast<int>(std::max<size_t>(1, kBytesAtOnce / group_bytes));
  for (int begin = 0; begin < n_groups; begin += groups_at_once) {
    const int end = std::min(n_groups, begin + groups_at_once);
    context.pool.for_each(end - begin, [&](int index, int) {
      // The last group is of the last rows, some of which may be in the one before as well.
      const int row = std::min((begin + index) * group_rows, matrix.rows - group_rows);
      pack(args, row, memory + static_cast<size_t>(begin + index) * group_bytes);
    });
    const auto group_file_bytes = static_cast<size_t>(group_rows) * matrix.row_bytes;
    const size_t first_byte = static_cast<size_t>(begin) * group_file_bytes;
    release_mapped(matrix.data.subspan(
        first_byte, std::min(static_cast<size_t>(end) * group_file_bytes, matrix.data.size()) - first_byte));
  }
  matrix.packed = memory;
  matrix.packed_group_bytes = group_bytes;
  if (matrix.parts != nullptr) {
    release_mapped(matrix.parts->scales);
    release_mapped(matrix.parts->biases);
  }
}

int chunk_rows(int row_groups, int threads) {
  return std::max(1, row_groups / (threads * kChunksPerThread * kChunkGroups)) * kChunkGroups * kLanes;
}

void add_bias(const std::vector<float>& bias, int row_begin, int row_end, int tokens, float* out) {
  if (bias.empty()) return;
  for (int t = 0; t < tokens; ++t) {
    float* row = out + static_cast<size_t>(t) * bias.size();
    for (int r = row_begin; r < row_end; ++r) row[r] += bias[static_cast<size_t>(r)];
  }
}

}  // namespace emelex::cpu
