// Products of one token with packed matrices, exact but for the rounding of activations to 16 bits. An activation is
// the scale of its group of 32 columns times an integer of 16 bits, which is two int8 of high and of low bits; codes
// are multiplied with both by mma.m16n8k32, whose eight columns thus hold four groups.
//
// A block has WARPS warps and takes one row tile at a time, every gridDim.x-th; where GATED, a row tile of the first
// part and the same of the second. A warp takes every WARPS-th pair of the column tiles of a row of COLUMNS columns, a
// multiple of 4. AHEAD pairs are on their way into registers. The warps' sums are added up in their order. BLOCKS are to
// be on a multiprocessor at a time. NORMED: the input is x * norm / sqrt(mean(x * x) + eps).

#include "kernels/cuda/source/columns.cu"
#include "kernels/cuda/source/gates.cu"
#include "kernels/cuda/source/tiles.cu"

#define PAIR_COLUMNS (2 * TILE_COLUMNS)
#define PAIRS ((COLUMN_TILES + 1) / 2)
#define ROUNDS (((PAIRS + WARPS - 1) / WARPS + AHEAD - 1) / AHEAD * AHEAD)  // pairs of a warp
#define ALL_WARPS_BUSY (ROUNDS * WARPS == PAIRS)
#define RT (1 + GATED)
#define STREAM_BYTES ((long long)COLUMN_TILES * TILE_BYTES)  // of a row tile

#define MOST_INTEGER 32512.0f  // 127 * 256
#define CODE_OFFSET (BITS == 8 ? 128 : MINIMUM ? 0 : 8)  // that packed codes have been made positive by

// Bytes between the planes of high and of low bits: lanes of both read different banks.
#define PLANE (PAIRS * PAIR_COLUMNS + 64)

struct Shared {
  u8 planes[2 * PLANE];
  float units[PAIRS * 4];                       // of each 32 columns, what their integers are multiplied with
  int totals[PAIRS * PAIR_COLUMNS / GROUP];     // sums of each group's integers
  float squares[WARPS];
  float sums[2][WARPS][RT * TILE_ROWS];
};

// Scales that a lane needs of a tile.
struct Scales {
  u32 rows[2];  // lane / 4, and that + 8: float16 of the tile's first and second 32 columns
#if MINIMUM
  u32 minima[2];
#endif
};

// What a lane holds of two column tiles. With groups of 32 it scales sums of one of the tiles, else of both.
struct PairWords {
  uint4 codes[2][CODE_WORDS];
  Scales scales[32 / GROUP];
};

DEVICE void load_pair(const u8* tiles, int pair, int lane, PairWords& words) {
  // An odd last tile is read twice. The second time it is multiplied with zeros.
  const int second = COLUMN_TILES % 2 == 1 && pair == PAIRS - 1 ? 0 : TILE_BYTES;
  const u8* first = tiles + (long long)pair * 2 * TILE_BYTES;
#pragma unroll
  for (int i = 0; i < CODE_WORDS; ++i) {
    words.codes[0][i] = load_once((const uint4*)(first + 512 * i) + lane);
    words.codes[1][i] = load_once((const uint4*)(first + second + 512 * i) + lane);
  }
#pragma unroll
  for (int i = 0; i < 32 / GROUP; ++i) {
    const bool of_second = GROUP == 32 ? lane % 4 >= 2 : i == 1;
    const int place = GROUP == 32 ? lane / 4 : lane / 4 * 2 + lane % 2;
    const u8* from = first + (of_second ? second : 0) + CODE_BYTES + place * 8 * (1 + MINIMUM);
#if MINIMUM
    const uint4 v = load_once((const uint4*)from);
    words.scales[i] = {{v.x, v.y}, {v.z, v.w}};
#else
    const uint2 v = load_once((const uint2*)from);
    words.scales[i] = {{v.x, v.y}};
#endif
  }
}

// The first operand of the product with 32 columns: half of a tile. Rows lane / 4 + 8 of 4 bits are 16 times too large.
DEVICE void operand(const uint4 (&codes)[CODE_WORDS], int half, u32 (&a)[4]) {
#if BITS == 4
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const u32 w = word_of(codes[0], half * 2 + i);
    a[2 * i] = w & 0x0f0f0f0fu;
    a[2 * i + 1] = w & 0xf0f0f0f0u;
  }
#else
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const u32 first = word_of(codes[half], i * 2);
    const u32 second = word_of(codes[half], i * 2 + 1);
    a[2 * i] = __byte_perm(first, second, 0x5410);
    a[2 * i + 1] = __byte_perm(first, second, 0x7632);
  }
#endif
}

// d += a b with a 16 x 32 of unsigned bytes, b 32 x 8 of signed ones
DEVICE void mma_bytes(int (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Adds the sums of a group to those of rows lane / 4 and lane / 4 + 8. `second`: of the tile's second 32 columns.
DEVICE void scale_sums(const int (&c)[4], const Scales& scales, bool second, float unit, int total,
                       float (&sums)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int times = BITS == 4 && r == 1 ? 16 : 1;
    const int product = c[2 * r] * 256 + c[2 * r + 1] - CODE_OFFSET * times * total;
    const float scale = second ? high_half(scales.rows[r]) : low_half(scales.rows[r]);
    sums[r] += scale * (unit * (1.0f / times)) * (float)product;
#if MINIMUM
    sums[r] += (second ? high_half(scales.minima[r]) : low_half(scales.minima[r])) * (unit * (float)total);
#endif
  }
}

// Of the eight columns of the second operand, lane / 4 is this lane's: the high or the low bits of one of four groups.
// In the result a lane has both of group lane % 4.
DEVICE void multiply_pair(const PairWords (&words)[RT], const Shared& shared, int pair, int lane,
                          float (&sums)[RT][2]) {
  const u8* plane = shared.planes + (lane / 4 % 2) * PLANE + pair * PAIR_COLUMNS + lane % 4 * 8;
  const int slot = lane / 8;
  const int own = lane % 4;
#if GROUP == 32
  const uint2 b = *(const uint2*)(plane + slot * 32);
  int c[RT][4] = {};
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const u32 b0 = slot == j ? b.x : 0;
    const u32 b1 = slot == j ? b.y : 0;
#pragma unroll
    for (int r = 0; r < RT; ++r) {
      u32 a[4];
      operand(words[r].codes[j / 2], j % 2, a);
      mma_bytes(c[r], a, b0, b1);
    }
  }
  const float unit = shared.units[pair * 4 + own];
  const int total = shared.totals[pair * 4 + own];
#pragma unroll
  for (int r = 0; r < RT; ++r) scale_sums(c[r], words[r].scales[0], own % 2 == 1, unit, total, sums[r]);
#else
#pragma unroll
  for (int tile = 0; tile < 2; ++tile) {
    const uint2 b = *(const uint2*)(plane + tile * TILE_COLUMNS + slot / 2 * 32);
    const bool mine = slot % 2 == own / 2;  // this lane's columns belong to the slot's half
    int c[RT][4] = {};
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const u32 b0 = mine && slot / 2 == j ? b.x : 0;
      const u32 b1 = mine && slot / 2 == j ? b.y : 0;
#pragma unroll
      for (int r = 0; r < RT; ++r) {
        u32 a[4];
        operand(words[r].codes[tile], j, a);
        mma_bytes(c[r], a, b0, b1);
      }
    }
    const float unit = shared.units[pair * 4 + tile * 2 + own / 2];
    const int total = shared.totals[(pair * 4 + tile * 2) * 2 + own];
#pragma unroll
    for (int r = 0; r < RT; ++r) scale_sums(c[r], words[r].scales[tile], own >= 2, unit, total, sums[r]);
  }
#endif
}

// Makes four columns into integers, with those of the other lanes of their 32.
DEVICE void round_columns(Shared& shared, int column, int lane, float4 v) {
  // Compared as integers, so that one that is not a number is the largest and spoils the group.
  u32 most = max(max(__float_as_uint(fabsf(v.x)), __float_as_uint(fabsf(v.y))),
                 max(__float_as_uint(fabsf(v.z)), __float_as_uint(fabsf(v.w))));
#pragma unroll
  for (int i = 1; i < 8; i *= 2) most = max(most, __shfl_xor_sync(0xffffffffu, most, i));
  const float largest = __uint_as_float(most);
  const float inverse = largest > 1e-30f ? MOST_INTEGER / largest : 0.0f;
  const int q0 = __float2int_rn(v.x * inverse);
  const int q1 = __float2int_rn(v.y * inverse);
  const int q2 = __float2int_rn(v.z * inverse);
  const int q3 = __float2int_rn(v.w * inverse);
  int total = (q0 + q1) + (q2 + q3);
#pragma unroll
  for (int i = 1; i < GROUP / 4; i *= 2) total += __shfl_xor_sync(0xffffffffu, total, i);
  // The order of four columns in a word of codes.
  const int second = BITS == 4 ? q2 : q1;
  const int third = BITS == 4 ? q1 : q2;
  const u32 low = __byte_perm(__byte_perm(q0, second, 0x0040), __byte_perm(third, q3, 0x0040), 0x5410);
  const u32 high = __byte_perm(__byte_perm(q0 + 128, second + 128, 0x0051),
                               __byte_perm(third + 128, q3 + 128, 0x0051), 0x5410);
  *(u32*)(shared.planes + column) = high;
  *(u32*)(shared.planes + PLANE + column) = low;
  if (lane % 8 == 0) shared.units[column / 32] = largest * (1.0f / MOST_INTEGER);
  if (lane % (GROUP / 4) == 0) shared.totals[column / GROUP] = total;
}

DEVICE float sum_of_warps(const float (&sums)[WARPS][RT * TILE_ROWS], int row) {
  float sum = 0;
#pragma unroll
  for (int w = 0; w < WARPS; ++w) sum += sums[w][row];
  return sum;
}

// The row of a thread's result, and what is added to it.
struct Row {
  float* out;  // null: there is none
  float bias;
  float second_bias;  // of the gated part
  float residual;
};

DEVICE Row row_of(const FusedArgs& args, int tile) {
  const int part = GATED ? 0 : part_of(args.parts, tile);
  const int row = (tile - args.parts.first_tile[part]) * TILE_ROWS + threadIdx.x;
  if (threadIdx.x >= TILE_ROWS || row >= args.parts.rows[part]) return {nullptr, 0, 0, 0};
  return {args.parts.out[part] + row, args.parts.bias[part] != nullptr ? args.parts.bias[part][row] : 0.0f,
          GATED && args.parts.bias[1] != nullptr ? args.parts.bias[1][row] : 0.0f,
          args.residual != nullptr ? args.residual[row] : 0.0f};
}

DEVICE void write_row(const FusedArgs& args, const Shared& shared, const float (&sums)[WARPS][RT * TILE_ROWS],
                      const Row& row) {
  if (row.out == nullptr) return;
  float factor = 1.0f;
  if (NORMED) {
    float squares = 0;
#pragma unroll
    for (int w = 0; w < WARPS; ++w) squares += shared.squares[w];
    factor = 1.0f / sqrtf(squares / COLUMNS + args.eps);
  }
  float y = sum_of_warps(sums, threadIdx.x) * factor + row.bias;
#if GATED
  y = gated(args.gate, y, sum_of_warps(sums, TILE_ROWS + threadIdx.x) * factor + row.second_bias);
#endif
  *row.out = y + row.residual;
}

extern "C" __global__ void __launch_bounds__(WARPS * 32, BLOCKS) single(const __grid_constant__ FusedArgs args) {
  __shared__ __align__(16) Shared shared;
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const u8* tiles = args.tiles + blockIdx.x * STREAM_BYTES;
  const long long to_next = gridDim.x * STREAM_BYTES;
  const long long to_second = GATED ? args.parts.first_tile[1] * STREAM_BYTES : 0;
  PairWords words[AHEAD][RT];
  const auto load = [&](const u8* from, int round, PairWords(&to)[RT]) {
    const int pair = warp + round * WARPS;
    if (!ALL_WARPS_BUSY && pair >= PAIRS) return;
#pragma unroll
    for (int r = 0; r < RT; ++r) load_pair(from + r * to_second, pair, lane, to[r]);
  };
#pragma unroll
  for (int i = 0; i < AHEAD; ++i) load(tiles, i, words[i]);
  float4 weights[ROUNDS];
#pragma unroll
  for (int round = 0; round < ROUNDS && NORMED; ++round) {
    weights[round] = input_at(args.norm, (warp + round * WARPS) * PAIR_COLUMNS + lane * 4);
  }
  allow_next();
  if (args.row_tiles > 0) wait_for_last();  // a branch, which the compiler moves no loads over

  Row row = row_of(args, blockIdx.x);
  float4 values[ROUNDS];
#pragma unroll
  for (int round = 0; round < ROUNDS; ++round) {
    values[round] = input_at(args.x, (warp + round * WARPS) * PAIR_COLUMNS + lane * 4);
  }
  float squares = 0;
#pragma unroll
  for (int round = 0; round < ROUNDS; ++round) {
    const int pair = warp + round * WARPS;
    if (!ALL_WARPS_BUSY && pair >= PAIRS) break;
    float4 v = values[round];
    if (NORMED) {
      const float4 w = weights[round];
      squares += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
      v = make_float4(v.x * w.x, v.y * w.y, v.z * w.z, v.w * w.w);
    }
    round_columns(shared, pair * PAIR_COLUMNS + lane * 4, lane, v);
  }
  if (NORMED) {
    squares = warp_sum(squares);
    if (lane == 0) shared.squares[warp] = squares;
  }
  __syncwarp();

  int flip = 0;
#pragma unroll 1
  for (int tile = blockIdx.x; tile < args.row_tiles; tile += gridDim.x) {
    const bool more = tile + gridDim.x < args.row_tiles;
    float sums[RT][2] = {};
#pragma unroll
    for (int round = 0; round < ROUNDS; ++round) {
      const int pair = warp + round * WARPS;
      if (ALL_WARPS_BUSY || pair < PAIRS) multiply_pair(words[round % AHEAD], shared, pair, lane, sums);
      if (round + AHEAD < ROUNDS) {
        load(tiles, round + AHEAD, words[round % AHEAD]);
      } else if (more) {
        load(tiles + to_next, round + AHEAD - ROUNDS, words[round % AHEAD]);
      }
    }
    tiles += to_next;
#pragma unroll
    for (int r = 0; r < RT; ++r) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float sum = sums[r][i];
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        if (lane % 4 == 0) shared.sums[flip][warp][r * TILE_ROWS + i * 8 + lane / 4] = sum;
      }
    }
    __syncthreads();
    write_row(args, shared, shared.sums[flip], row);
    if (more) row = row_of(args, tile + gridDim.x);
    flip ^= 1;
  }
}
