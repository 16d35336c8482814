// Products of 2 to NT * 8 tokens on GPUs with clusters. A block's WARPS warps have a row tile each, where GATED that of
// the second part, too, and the same columns: one of CLUSTER slices, which lies in shared memory of all tokens as
// float16. The blocks of a cluster add up their sums in order. A cluster takes WARPS row tiles at a time, every
// (gridDim.x / CLUSTER)-th. AHEAD tiles are on their way into registers. NORMED: the input is
// x * norm / sqrt(mean(x * x) + eps).

#define RT (1 + GATED)

#include "kernels/cuda/source/columns.cu"
#include "kernels/cuda/source/gates.cu"
#include "kernels/cuda/source/multiply.cu"

#define SLICE_TILES ((COLUMN_TILES + CLUSTER - 1) / CLUSTER)
#define SLICE (SLICE_TILES * TILE_COLUMNS)
#define SLICE_STRIDE (SLICE + 32)  // so that two tokens lie in different banks
#define TOKENS (NT * 8)
#define BLOCK_ROWS (WARPS * TILE_ROWS)
#define OWN_ROWS (BLOCK_ROWS / CLUSTER)  // whose sums a block adds up
#define ROUNDS ((SLICE_TILES + AHEAD - 1) / AHEAD * AHEAD)
#define HELD ((SLICE + 127) / 128)       // times four values of a token's slice that a lane holds

struct Shared {
  u16 x[TOKENS][SLICE_STRIDE];
  float sums[RT][TOKENS][BLOCK_ROWS];
  float scales[TOKENS];   // what the slice of a token was divided by
  float squares[TOKENS];  // sums over the slice
};

DEVICE u32 cluster_rank() {
  u32 rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
DEVICE void cluster_wait() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// A value of the shared memory of another block of the cluster, where this one has `own`.
DEVICE float read_of(const float* own, u32 rank) {
  u32 address;
  float value;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"((u32)__cvta_generic_to_shared(own)), "r"(rank));
  asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(value) : "r"(address) : "memory");
  return value;
}

// What a slice is divided by: a power of two that makes the largest value one of float16's large ones, so that small ones
// keep their bits.
DEVICE float slice_scale(float most) {
  if (!(most > 1e-30f) || most > 3e38f) return 1.0f;
  return exp2f(ceilf(log2f(most / 32768.0f)));
}

// A warp makes a token's slice into float16.
DEVICE void stage_token(const FusedArgs& args, Shared& shared, int token, int first_column, int lane) {
  float4 held[HELD];
  float squares = 0;
  float most = 0;
  const float* row = args.x + (long long)token * COLUMNS;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    const int at = i * 128 + lane * 4;
    held[i] = at < SLICE && token < args.tokens ? input_at(row, first_column + at) : make_float4(0, 0, 0, 0);
  }
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    float4& v = held[i];
    if (NORMED) {
      squares += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
      const int at = i * 128 + lane * 4;
      const float4 w = at < SLICE ? input_at(args.norm, first_column + at) : make_float4(0, 0, 0, 0);
      v = make_float4(v.x * w.x, v.y * w.y, v.z * w.z, v.w * w.w);
    }
    most = fmaxf(most, fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))));
  }
  const float divisor = slice_scale(warp_max(most));
  if (NORMED) squares = warp_sum(squares);
  const float factor = 1.0f / divisor;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    const int at = i * 128 + lane * 4;
    if (at >= SLICE) break;
    const float4 v = held[i];
    *(uint2*)&shared.x[token][at] =
        make_uint2(half_pair(v.x * factor, v.y * factor), half_pair(v.z * factor, v.w * factor));
  }
  if (lane == 0) {
    shared.scales[token] = divisor;
    shared.squares[token] = squares;
  }
}

// The sum of a row of a part over the cluster's slices.
DEVICE float sum_of_slices(const Shared& shared, int part, int token, int row) {
  float sum = 0;
#pragma unroll
  for (int rank = 0; rank < CLUSTER; ++rank) {
    sum += CLUSTER == 1 ? shared.sums[part][token][row] : read_of(&shared.sums[part][token][row], rank);
  }
  return sum;
}

DEVICE float norm_factor(const FusedArgs& args, const Shared& shared, int token) {
  if (!NORMED) return 1.0f;
  float squares = 0;
#pragma unroll
  for (int rank = 0; rank < CLUSTER; ++rank) {
    squares += CLUSTER == 1 ? shared.squares[token] : read_of(&shared.squares[token], rank);
  }
  return 1.0f / sqrtf(squares / COLUMNS + args.eps);
}

DEVICE void write_rows(const FusedArgs& args, const Shared& shared, int first_tile, u32 rank) {
  for (int i = threadIdx.x; i < OWN_ROWS * TOKENS; i += WARPS * 32) {
    const int row_in_block = rank * OWN_ROWS + i % OWN_ROWS;
    const int token = i / OWN_ROWS;
    const int tile = first_tile + row_in_block / TILE_ROWS;
    if (token >= args.tokens || tile >= args.row_tiles) continue;
    int part = 0;
    while (!GATED && part + 1 < args.parts.count && tile >= args.parts.first_tile[part + 1]) ++part;
    const int row = (tile - args.parts.first_tile[part]) * TILE_ROWS + row_in_block % TILE_ROWS;
    const int rows = args.parts.rows[part];
    if (row >= rows) continue;
    const float factor = norm_factor(args, shared, token);
    float y = sum_of_slices(shared, 0, token, row_in_block) * factor;
    if (args.parts.bias[part] != nullptr) y += args.parts.bias[part][row];
#if GATED
    float up = sum_of_slices(shared, 1, token, row_in_block) * factor;
    if (args.parts.bias[1] != nullptr) up += args.parts.bias[1][row];
    y = gated(args.gate, y, up);
#endif
    const long long at = (long long)token * rows + row;
    if (args.residual != nullptr) y += args.residual[at];
    args.parts.out[part][at] = y;
  }
}

extern "C" __global__ void __launch_bounds__(WARPS * 32, BLOCKS) few(const __grid_constant__ FusedArgs args) {
  extern __shared__ __align__(128) u8 memory[];
  Shared& shared = *(Shared*)memory;
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const u32 rank = CLUSTER == 1 ? 0 : cluster_rank();
  const int first_column_tile = rank * SLICE_TILES;
  const int tiles = min(SLICE_TILES, COLUMN_TILES - first_column_tile);  // of the slice; less than 1: none
  const long long row_bytes = (long long)COLUMN_TILES * TILE_BYTES;
  const long long to_second = GATED ? args.parts.first_tile[1] * row_bytes : 0;
  const int row_groups = (args.row_tiles + WARPS - 1) / WARPS;
  const int group_step = gridDim.x / CLUSTER;

  // What is to be loaded next, of ROUNDS tiles a group. Past the last row tile that is loaded once more.
  int next_group = blockIdx.x / CLUSTER;
  int next_tile = 0;
  const auto start_of = [&](int group) {
    const int tile = min(group * WARPS + warp, args.row_tiles - 1);
    return args.tiles + tile * row_bytes + (long long)first_column_tile * TILE_BYTES;
  };
  const u8* from = start_of(next_group);
  TileWords words[AHEAD][RT];
  const auto load_next = [&](TileWords(&to)[RT]) {
    if (next_group >= row_groups) return;
    if (next_tile < tiles) {
#pragma unroll
      for (int r = 0; r < RT; ++r) load_tile<true>(from + r * to_second, lane, to[r]);
    }
    from += TILE_BYTES;
    if (++next_tile < ROUNDS) return;
    next_tile = 0;
    next_group += group_step;
    if (next_group < row_groups) from = start_of(next_group);
  };
#pragma unroll
  for (int i = 0; i < AHEAD; ++i) load_next(words[i]);
  allow_next();
  if (args.row_tiles > 0) wait_for_last();  // a branch, which the compiler moves no loads over

  for (int token = warp; token < TOKENS; token += WARPS) {
    stage_token(args, shared, token, first_column_tile * TILE_COLUMNS, lane);
  }
  __syncthreads();

  const u16* first_x = &shared.x[lane / 4][lane % 4 * 8];
  for (int group = blockIdx.x / CLUSTER; group < row_groups; group += group_step) {
    float parts[RT][NT][SUMS][4] = {};
#pragma unroll 1
    for (int tile = 0; tile < ROUNDS; tile += AHEAD) {
#pragma unroll
      for (int i = 0; i < AHEAD; ++i) {
        if (tile + i < tiles) {
          TokenWords tokens;
          load_tokens(first_x + (tile + i) * TILE_COLUMNS, SLICE_STRIDE, ~0u, tokens);
          multiply_tile(words[i], tokens, parts);
        }
        load_next(words[i]);
      }
    }
#pragma unroll
    for (int r = 0; r < RT; ++r) {
#pragma unroll
      for (int n = 0; n < NT; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int token = n * 8 + lane % 4 * 2 + i % 2;
          float sum = parts[r][n][0][i];
#pragma unroll
          for (int k = 1; k < SUMS; ++k) sum += parts[r][n][k][i];
          shared.sums[r][token][warp * TILE_ROWS + lane / 4 + i / 2 * 8] = sum * shared.scales[token];
        }
      }
    }
    if (CLUSTER == 1) __syncthreads();
    if (CLUSTER > 1) cluster_wait();
    write_rows(args, shared, group * WARPS, rank);
    // The others may still read, before the sums are written again or this block ends.
    if (CLUSTER == 1) __syncthreads();
    if (CLUSTER > 1) cluster_wait();
  }
}
