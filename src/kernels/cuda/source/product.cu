// Products of packed matrices with up to NT * 8 tokens. A block has WARPS warps and takes RT row tiles at a time, every
// gridDim.x-th; a warp takes every WARPS-th column tile of them. The tiles of all its rows are one stream, of
// which AHEAD are on their way to shared memory at a time. The warps' sums are added up in their order.

#include "kernels/cuda/source/multiply.cu"

// What fits into 38 KB: a power of two.
#define TILES_THAT_FIT (38912 / (WARPS * RT * TILE_BYTES))
#define AHEAD (TILES_THAT_FIT >= 8 ? 8 : TILES_THAT_FIT >= 4 ? 4 : TILES_THAT_FIT >= 2 ? 2 : 1)

DEVICE void write_out(const ProductArgs& args, int row_tile, int row_in_tile, int token, float sum) {
  const int part = part_of(args.parts, row_tile);
  const int row = (row_tile - args.parts.first_tile[part]) * TILE_ROWS + row_in_tile;
  const int rows = args.parts.rows[part];
  if (row >= rows || token >= args.tokens || row_tile >= args.row_tiles) return;
  if (args.x_scale != nullptr) sum *= args.x_scale[token];
  if (args.parts.bias[part] != nullptr) sum += args.parts.bias[part][row];
  const long long at = (long long)token * rows + row;
  if (args.residual != nullptr) sum += args.residual[at];
  args.parts.out[part][at] = sum;
}

// Begins to copy a tile to shared memory, by all lanes of a warp: `to` and `from` are the lane's own.
DEVICE void fetch_tile(u32 to, const u8* from, bool has_scales) {
#pragma unroll
  for (int i = 0; i < CODE_WORDS; ++i) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to + 512 * i), "l"(from + 512 * i) : "memory");
  }
  if (has_scales) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to + CODE_BYTES), "l"(from + CODE_BYTES) : "memory");
  }
}
DEVICE void end_fetch() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// All but the last `n` that were ended have come.
template <int n>
DEVICE void await_fetch() {
  asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
}

KERNEL(WARPS * 32) product(const __grid_constant__ ProductArgs args) {
  __shared__ __align__(128) u8 ring[WARPS][AHEAD][RT][TILE_BYTES];
  __shared__ float shared[WARPS][8][RT * TILE_ROWS];
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int first_token = blockIdx.y * NT * 8;
  const int row_groups = (args.row_tiles + RT - 1) / RT;
  // Column tiles of this warp in a row: where there are fewer than warps, some have none.
  const int rounds = warp < args.column_tiles ? (args.column_tiles - warp + WARPS - 1) / WARPS : 0;
  const long long row_bytes = (long long)args.column_tiles * TILE_BYTES;

  // What is to be fetched next. Past the last row tile of an odd number the one before is fetched again.
  const u8* from = args.tiles + (long long)blockIdx.x * RT * row_bytes + warp * TILE_BYTES + lane * 16;
  const long long to_next_row = gridDim.x * RT * row_bytes - (long long)rounds * WARPS * TILE_BYTES;
  int fetched_group = rounds > 0 ? blockIdx.x : row_groups;
  int fetched_round = 0;
  const bool has_scales = lane < SCALE_BYTES / 16;
  const u32 ring_begin = (u32)__cvta_generic_to_shared(ring[warp]) + lane * 16;
  const auto fetch = [&](u32 to) {
    if (fetched_group < row_groups) {
#pragma unroll
      for (int r = 0; r < RT; ++r) {
        const bool beyond = r > 0 && fetched_group * RT + r >= args.row_tiles;
        fetch_tile(to + r * TILE_BYTES, from + (beyond ? 0 : r * row_bytes), has_scales);
      }
    }
    end_fetch();
    from += WARPS * TILE_BYTES;
    if (++fetched_round == rounds) {
      fetched_round = 0;
      fetched_group += gridDim.x;
      from += to_next_row;
    }
  };
  allow_next();
  for (int i = 0; i < AHEAD; ++i) fetch(ring_begin + i * RT * TILE_BYTES);
  wait_for_last();

  const int stride = args.column_tiles * TILE_COLUMNS;
  const u16* first_x = args.x + (long long)(first_token + lane / 4) * stride + warp * TILE_COLUMNS + lane % 4 * 8;
  u32 inside = 0;
#pragma unroll
  for (int n = 0; n < NT; ++n) {
    if (first_token + n * 8 + lane / 4 < args.tokens && rounds > 0) inside |= 1u << n;
  }
  TokenWords tokens;
  load_tokens(first_x, stride, inside, tokens);
  u32 slot = 0;  // bytes from the ring's begin
  for (int group = blockIdx.x; group < row_groups; group += gridDim.x) {
    float parts[RT][NT][SUMS][4] = {};
    const u16* x = first_x;
#pragma unroll 1
    for (int round = rounds; round > 0; --round) {
      await_fetch<AHEAD - 1>();
      __syncwarp();
      TileWords words[RT];
#pragma unroll
      for (int r = 0; r < RT; ++r) load_tile<false>(&ring[warp][0][0][0] + slot + r * TILE_BYTES, lane, words[r]);
      __syncwarp();
      fetch(ring_begin + slot);
      slot = slot == (AHEAD - 1) * RT * TILE_BYTES ? 0 : slot + RT * TILE_BYTES;
      TokenWords next;
      x = round > 1 ? x + WARPS * TILE_COLUMNS : first_x;
      load_tokens(x, stride, inside, next);
      multiply_tile(words, tokens, parts);
      tokens = next;
    }
#pragma unroll
    for (int n = 0; n < NT; ++n) {
      __syncthreads();
#pragma unroll
      for (int r = 0; r < RT; ++r) {
        float sums[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          sums[i] = parts[r][n][0][i];
#pragma unroll
          for (int k = 1; k < SUMS; ++k) sums[i] += parts[r][n][k][i];
        }
        const int row = r * TILE_ROWS + lane / 4;
        const int token = lane % 4 * 2;
        shared[warp][token][row] = sums[0];
        shared[warp][token + 1][row] = sums[1];
        shared[warp][token][row + 8] = sums[2];
        shared[warp][token + 1][row + 8] = sums[3];
      }
      __syncthreads();
      for (int i = threadIdx.x; i < 8 * RT * TILE_ROWS; i += WARPS * 32) {
        const int row = i % (RT * TILE_ROWS);
        const int token = i / (RT * TILE_ROWS);
        if (first_token + n * 8 + token >= args.tokens) continue;
        float sum = 0;
#pragma unroll
        for (int w = 0; w < WARPS; ++w) sum += shared[w][token][row];
        write_out(args, group * RT + row / TILE_ROWS, row % TILE_ROWS, first_token + n * 8 + token, sum);
      }
    }
  }
}

// The matrix as float16 [row_tiles * TILE_ROWS, column_tiles * TILE_COLUMNS].
KERNEL(256) unpack(const u8* tiles, int row_tiles, int column_tiles, u16* out) {
  begin_kernel();
  const int lane = threadIdx.x % 32;
  const long long tile = (long long)blockIdx.x * 8 + threadIdx.x / 32;
  if (tile >= (long long)row_tiles * column_tiles) return;
  TileWords words;
  load_tile<true>(tiles + tile * TILE_BYTES, lane, words);
  u32 a[4][4];
#pragma unroll
  for (int j = 0; j < 4; ++j) operand(words, j, a[j]);
  const int stride = column_tiles * TILE_COLUMNS;
  const long long row = tile / column_tiles * TILE_ROWS + lane / 4;
  u16* to = out + row * stride + tile % column_tiles * TILE_COLUMNS + lane % 4 * 8;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
#pragma unroll
    for (int group = 0; group < 2; ++group) {
      const u32(&first)[4] = a[group * 2];
      const u32(&second)[4] = a[group * 2 + 1];
      *(uint4*)(to + (long long)r * 8 * stride + group * 32) =
          make_uint4(first[r], first[r + 2], second[r], second[r + 2]);
    }
  }
}

DEVICE u16 weight_at(const u8* tiles, int column_tiles, int row, int column) {
  const u8* tile = tiles + ((long long)(row / TILE_ROWS) * column_tiles + column / TILE_COLUMNS) * TILE_BYTES;
  const int lane = row % 8 * 4 + column % 32 / 8;
  TileWords words;
  load_tile<true>(tile, lane, words);
  const int j = column % TILE_COLUMNS / 32 * 2 + column % 8 / 4;
  u32 pair = 0;
#pragma unroll
  for (int at = 0; at < 4; ++at) {
    u32 a[4];
    operand(words, at, a);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (at == j && i == column % 4 / 2 * 2 + row % TILE_ROWS / 8) pair = a[i];
    }
  }
  return (u16)(column % 2 == 0 ? pair & 0xffff : pair >> 16);
}

// Rows of the table by the step's token ids.
KERNEL(256) embed(const u8* step, const u8* tiles, int column_tiles, int columns, float* out) {
  begin_kernel();
  const int token = step_ints(step, header(step)->tokens_at)[blockIdx.y];
  const int column = blockIdx.x * 256 + threadIdx.x;
  if (column >= columns) return;
  out[(long long)blockIdx.y * columns + column] = from_half(weight_at(tiles, column_tiles, token, column));
}
