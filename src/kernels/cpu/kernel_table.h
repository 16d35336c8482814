#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kv_format.h"
#include "quant/mlx_quants.h"
#include "quant/tensor_type.h"

// The compute kernels as plain functions over raw pointers, one table per instruction set. Each kernel is written once,
// in simd/<kernel>.h, over the 16-lane vectors of an instruction set (simd/scalar.h, avx2.h, avx512.h, neon.h), and
// instantiated by the files of isa/, once for each set. Lanes and the order of sums are fixed by the kernel and not by
// the instruction set, and a * b + c is always fused where written so: every instruction set gives the same bits.
//
// The files of all instruction sets include this header. Its functions are static or always inlined: of an inline
// function that two objects define the linker keeps one, which could be that of a set that this CPU lacks
// (tests/kernels/isa_symbols.py looks for such symbols).

namespace emelex::cpu {

constexpr int kLanes = 16;  // floats in a vector, whatever the hardware's width
// n rounded up to whole vectors
static constexpr int whole_lanes(int n) { return (n + kLanes - 1) / kLanes * kLanes; }
constexpr int kActivationBlock = 32;  // activations that share one scale
constexpr int kTensorTypes = kTensorTypeCount;

// Activations [tokens, columns] as integers, block by block: x ≈ center + scale · q, where center is the middle between
// the block's smallest and largest value. q has 8 bits; in a wide block, whose range is over kWideRange times the root
// mean square of the token's ranges, 16: few blocks hold most of the rounding error, and those get no error to speak
// of. Tokens lie in tiles of at most `max_tile` (a power of two): a tile of T tokens holds [block][T][32] values, and
// [block][T] of everything else. Tiles are as large as fits: 13 tokens at max_tile 8 are tiles of 8, 4 and 1.
struct QuantizedActivations {
  float* scales;
  float* centers;
  float* sums;             // scale · (sum of the block's q)
  float* half_sums;        // [block][2][T] the same of its first 16 and its last 16
  int32_t* int_sums;       // sum of the block's q
  int32_t* int_half_sums;  // [block][2][T] the same of its first 16 and its last 16
  int8_t* values;          // q, or in a wide block its low part: q = 256 · high + value
  int8_t* high;            // 0 unless the block is wide
  uint8_t* wide;           // 1 or 0
  int tokens;
  int columns;   // divisible by kActivationBlock
  int max_tile;  // of the kernels that take them

  [[gnu::always_inline]] static size_t bytes(int tokens, int columns) {
    const size_t n = static_cast<size_t>(tokens) * static_cast<size_t>(columns);
    return 2 * n + n / kActivationBlock * (5 * sizeof(float) + 3 * sizeof(int32_t) + 1);
  }
  // Lays the arrays out in `memory` of bytes(tokens, columns), 4-byte aligned.
  static QuantizedActivations over(std::byte* memory, int tokens, int columns, int max_tile);
};
constexpr double kWideRange = 1.5;

// The tile that a token falls in.
struct TokenTile {
  int first;  // its first token
  int size;   // tokens in it: max_tile, or a smaller power of two at the end
};
static constexpr TokenTile token_tile(int token, int tokens, int max_tile) {
  int first = 0;
  int size = max_tile;
  while (true) {
    const int full = (tokens - first) / size * size;  // tokens in tiles of this size
    if (token < first + full) return {first + (token - first) / size * size, size};
    first += full;
    size /= 2;
  }
}

// What a matrix in one of MLX's formats has beside its values.
struct MlxScales {
  const std::byte* scales;  // [rows] of row_bytes each
  const std::byte* biases;  // likewise, or nullptr
  size_t row_bytes;
  MlxFormat format;
};

struct MatmulArgs;
struct TileFormat;
// Computes rows [row_begin, row_end) as a MatmulFn, by products of tiles of kTileTokens tokens (simd/tiled_products.h).
using TiledFn = void (*)(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch,
                         const TileFormat& format);
constexpr int kTileTokens = 16;

// out[t, r] = Σ x[t, c] · w[r, c], plus residual[t, r] if there is one.
struct MatmulArgs {
  const std::byte* weights;  // [rows] of row_bytes each, in the format's own layout
  size_t row_bytes;
  int rows;
  int columns;
  QuantizedActivations activations;  // for the int8 kernels
  const float* x;  // [tokens, x_stride] for the float kernels, zero from `columns` up to a multiple of 16
  int x_stride;
  const uint16_t* bf16_x;  // [tokens, whole_lanes(columns)] for the bf16 kernel, zero from `columns` on
  int tokens;
  float* out;             // [tokens, rows]
  const float* residual;  // [tokens, rows], or nullptr
  MlxScales mlx = {};     // for the kernels of MLX's formats
  // The matrix packed: for kernels with a PackFn, nullptr where it is not. Group i of packed_rows rows lies at i
  // groups' bytes; the last is of the last packed_rows rows.
  const std::byte* packed = nullptr;
  size_t packed_group_bytes = 0;
  // How an int8 kernel reads a packed matrix, which the products do not depend on.
  size_t prefetch_distance = 0;  // bytes between what it reads and what it prefetches; 0: nothing
  bool streams = false;     // for one token: several groups of rows side by side, where the set has registers for it
  TiledFn tiled = nullptr;  // KernelTable::tiled; needs activations in tiles of kTileTokens
};

// MLX's formats by the number of their kernel: affine by bits, then the small floats. Group size and scale type are the
// kernel's arguments.
constexpr int kMlxKernels = 9;
static constexpr int mlx_kernel(const MlxFormat& format) {
  if (format.mode == MlxMode::affine) return format.bits == 8 ? 5 : format.bits - 2;
  return 5 + static_cast<int>(format.mode);
}

// Computes rows [row_begin, row_end) for all tokens; row_begin is a multiple of kLanes, and so is row_end unless it is
// `rows`. `scratch` has at least matmul_scratch_bytes(columns) and is aligned to 64.
using MatmulFn = void (*)(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch);

// Writes packed_rows rows from `row` on in the order in which the kernel reads them (simd/row_readers.h,
// simd/matmul_plain.h), and returns how many bytes that is: the same for all rows of a matrix. For matrices of at least
// so many rows.
using PackFn = size_t (*)(const MatmulArgs& args, int row, std::byte* out);

constexpr int kMaxRowGroups = 2;  // of 16 rows, unpacked at once
// 32 columns of 16 rows: the values, and at most two scales, two mins and a sum for each row.
constexpr size_t kUnpackedBlockBytes = kLanes * (kActivationBlock + 5 * sizeof(float));
constexpr size_t kMaxPlainRows = 64;  // of plain numbers in scratch at once: float32, and float16 that these come from
static constexpr size_t matmul_scratch_bytes(int columns) {
  const size_t blocks = (static_cast<size_t>(columns) + kActivationBlock - 1) / kActivationBlock;
  const size_t unpacked = kMaxRowGroups * kUnpackedBlockBytes;
  const size_t plain = kMaxPlainRows * kActivationBlock * (sizeof(float) + sizeof(uint16_t));
  return blocks * (unpacked > plain ? unpacked : plain) + 64;  // kernels that widen rows have 4 of them, which is less
}

// One layer of one KV block, of all kv heads: keys [kv_head][padded_dim][kBlockTokens], then values
// [kv_head][kBlockTokens][padded_dim], so that both products run along contiguous lanes. padded_dim is head_dim
// rounded up to kLanes. In q8_0 the scales follow a head's keys and its values: [scale of a token][kBlockTokens].
struct KvLayout {
  int n_kv_heads;
  int head_dim;
  KvDtype dtype;

  [[gnu::always_inline]] int padded_dim() const { return whole_lanes(head_dim); }
  // of a token's head, in q8_0
  [[gnu::always_inline]] int scales() const { return (head_dim + kKvScaleValues - 1) / kKvScaleValues; }
  size_t head_bytes() const;  // of a head's keys, and of its values
  [[gnu::always_inline]] size_t layer_bytes() const { return 2 * static_cast<size_t>(n_kv_heads) * head_bytes(); }
};

// Puts one token's k and v [n_kv_heads, head_dim] into its slot of a block's layer. Values beyond float16's range are
// clamped to it.
using StoreKvFn = void (*)(const KvLayout& layout, std::byte* block_layer, int slot, const float* k, const float* v);

// Attention of some consecutive tokens of one sequence, for one kv head and the `group` query heads that share it. A
// row is a (token, head of the group) pair, in this order.
struct AttendArgs {
  KvLayout layout;
  const std::byte* const* blocks;  // the sequence's blocks
  size_t layer_offset;             // where this layer lies in each
  const float* q;                  // of the first token: [tokens, q_stride], rotated and scaled
  float* out;                      // the same shape
  int q_stride;
  int group;
  int n_tokens;
  int first_position;  // of the first token
  int kv_head;
  int window = 0;         // a token sees so many positions, its own among them; 0: all before it
  float soft_cap = 0.0F;  // scores become cap · tanh(score / cap); 0: they stay
};

// The first position that a token sees.
static constexpr int first_seen(int position, int window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}

// Positions are attended to in splits of this many, in order, and the splits' results merged in order. Fixed, so that a
// result does not depend on how the work was shared.
constexpr int kSplitTokens = 512;

// The state of the online softmax (Milakov and Gimelshein, arXiv:1805.02867) of some rows over one or more splits.
struct AttendState {
  float* max;  // [rows]
  float* sum;  // [rows]
  float* acc;  // [rows, padded_dim]

  [[gnu::always_inline]] static size_t floats(int rows, int padded_dim) {
    return static_cast<size_t>(rows) * (2 + static_cast<size_t>(padded_dim));
  }
  [[gnu::always_inline]] static AttendState over(float* memory, int rows) {
    return {memory, memory + rows, memory + 2 * rows};
  }
};

// Floats of scratch for AttendSplitFn.
constexpr size_t kAttendScratchFloats = size_t{8} * kBlockTokens;

// Starts `state` with split number `split`; rows without a position in it get max = -inf, sum = 0.
using AttendSplitFn = void (*)(const AttendArgs& args, int split, const AttendState& state, float* scratch);
// state ← state merged with `next`, which is the following split.
using AttendMergeFn = void (*)(int rows, int padded_dim, const AttendState& state, const AttendState& next);
// out ← acc / sum
using AttendFinishFn = void (*)(const AttendArgs& args, const AttendState& state);

// Products of bfloat16 with activations rounded to it (simd/matmul_plain.h). Packed as for the float kernel.
struct Bf16Kernels {
  MatmulFn matmul;
  // Rounds x [n] to nearest even; out [whole_lanes(n)] ends in zeros.
  void (*round)(const float* x, int n, uint16_t* out);
};

// By TensorType; nullptr where the format has no such kernel.
struct Int8Kernels {
  MatmulFn int8_matmul[kTensorTypes];
  PackFn pack[kTensorTypes];
};

// By mlx_kernel(format), likewise; for columns that kActivationBlock divides.
struct MlxInt8Kernels {
  MatmulFn mlx_int8_matmul[kMlxKernels];
  PackFn mlx_pack[kMlxKernels];
};

struct FloatKernels {
  MatmulFn float_matmul[kTensorTypes];
  MatmulFn mlx_float_matmul[kMlxKernels];
  PackFn float_pack[kTensorTypes];  // of plain types alone
};

struct ElementwiseKernels {
  // Rounds x [columns] into `out` as its token `token`.
  void (*quantize_activations)(const float* x, int token, const QuantizedActivations& out);
  // out[i] = x[i] / sqrt(mean(x²) + eps) · weight[i]
  void (*rms_norm)(const float* x, const float* weight, float eps, int n, float* out);
  // out[i] = (x[i] - mean(x)) / sqrt(variance(x) + eps) · weight[i] + bias[i]
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, int n, float* out);
  // out[i] = gate[i] / (1 + exp(-gate[i])) · up[i]
  void (*swiglu)(const float* gate, const float* up, int n, float* out);
  // out[i] = gelu(gate[i]) · up[i], and gelu(x[i]), with GELU's tangent form
  void (*geglu)(const float* gate, const float* up, int n, float* out);
  void (*gelu)(const float* x, int n, float* out);
  // out[i] = cap · tanh(x[i] / cap)
  void (*soft_cap)(const float* x, float cap, int n, float* out);
  // Rotates one head in place; cos_sin holds dim/2 cosines, then dim/2 sines.
  void (*rope)(float* head, int dim, bool interleaved, const float* cos_sin);
};

struct AttentionKernels {
  // by KvDtype
  StoreKvFn store_kv[kKvDtypes];
  AttendSplitFn attend_split[kKvDtypes];
  AttendMergeFn attend_merge;
  AttendFinishFn attend_finish;
};

// All kernels of an instruction set.
struct KernelTable : Int8Kernels, MlxInt8Kernels, FloatKernels, ElementwiseKernels, AttentionKernels {
  const char* name;  // "scalar", "avx2", "avx512", "avx512_bf16", "avx512_amx", "neon_dotprod", "neon_i8mm"
  int max_tile;      // of QuantizedActivations
  int packed_rows;   // rows in a group of a packed matrix
  Bf16Kernels bf16;  // nullptr where the CPU has no such dot products
  TiledFn tiled;     // for the int8 kernels, or nullptr
};

// One block of a type as float32. A plain function, so that files with the flags of an instruction set need nothing of
// src/quant.
void dequantize_block(TensorType type, const uint8_t* block, float* out);
// The same for a row of a matrix in one of MLX's formats.
void dequantize_mlx_row(const MatmulArgs& args, int row, float* out);

// The table for this CPU: the best it has, or the one that EMELEX_ISA names. Throws Error(invalid_argument) when that
// one is unknown or not available here.
const KernelTable& kernel_table();

// All tables that this CPU can run, the best first; "scalar" is always the last.
const KernelTable* const* available_tables(int* count);

}  // namespace emelex::cpu
