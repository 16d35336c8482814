// Products of 2 to NT * 8 tokens on GPUs with clusters. A block's WARPS warps have a row tile each, where GATED that of
// the second part, too, and the same columns: one of CLUSTER slices, which lies in shared memory of all tokens as
// float16. A block sends its sums of each row to the block of the cluster that the row belongs to, which adds them up in
// the slices' order. A cluster takes WARPS row tiles at a time, every (gridDim.x / CLUSTER)-th. AHEAD tiles are on their
// way into registers. BUFFERS is 1 where no cluster takes more than WARPS row tiles, else 2. NORMED: the input is
// x * norm / sqrt(mean(x * x) + eps).

#define RT (1 + GATED)

#include "kernels/cuda/source/columns.cu"
#include "kernels/cuda/source/gates.cu"
#include "kernels/cuda/source/multiply.cu"

#define SLICE_TILES ((COLUMN_TILES + CLUSTER - 1) / CLUSTER)
#define SLICE (SLICE_TILES * TILE_COLUMNS)
#define SLICE_STRIDE (SLICE + 32)  // so that two tokens lie in different banks
#define ROUNDS ((SLICE_TILES + AHEAD - 1) / AHEAD * AHEAD)
#define WHOLE_SLICES (COLUMN_TILES % CLUSTER == 0 && COLUMNS % TILE_COLUMNS == 0)
#define ALL_TILES_THERE (COLUMN_TILES % CLUSTER == 0 && ROUNDS == SLICE_TILES)
#define UNROLLED (ROUNDS <= 24 ? ROUNDS / AHEAD : 1)
#define TOKENS (NT * 8)
#define THREADS (WARPS * 32)
#define OWN_ROWS (WARPS * TILE_ROWS / CLUSTER)  // whose sums a block adds up: of whole row tiles
#define SUM_STRIDE (OWN_ROWS + 4)               // so that the tokens of a warp's sums lie in different banks
#define RESULTS ((OWN_ROWS * TOKENS + THREADS - 1) / THREADS)  // of a thread
#define EARLY_RESIDUALS (RESULTS <= 2 && !GATED)
#define HELD ((SLICE + 127) / 128)              // times four values of a token's slice that a lane holds

#define SUM_BYTES (CLUSTER * RT * TOKENS * OWN_ROWS * 4)  // that a block gets of its rows
#define SQUARE_BYTES (CLUSTER * TOKENS * 4)

struct Shared {
  u16 x[TOKENS][SLICE_STRIDE];
  float sums[BUFFERS][CLUSTER][RT][TOKENS][SUM_STRIDE];  // of this block's rows, by each block of the cluster
  float squares[CLUSTER][TOKENS];                        // sums over each block's slice
  float own_squares[TOKENS];
  u64 arrivals[BUFFERS];  // of sums, and of squares with the first
  float scales[TOKENS];  // what the slice of a token was divided by
};

#if CLUSTER > 1

DEVICE u32 cluster_rank() {
  u32 rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
// The address of what block `rank` of the cluster has in its shared memory where this one has `own`.
DEVICE u32 address_in(const void* own, u32 rank) {
  u32 address;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
               : "=r"(address)
               : "r"((u32)__cvta_generic_to_shared(own)), "r"(rank));
  return address;
}
// Writes a value to another block, which counts its bytes at its `arrival`.
DEVICE void send(u32 address, float value, u32 arrival) {
  asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(address),
               "r"(__float_as_uint(value)), "r"(arrival)
               : "memory");
}
DEVICE void expect(u64& arrival, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"((u32)__cvta_generic_to_shared(&arrival)),
               "r"(bytes)
               : "memory");
}
DEVICE void await(u64& arrival, u32 parity) {
  asm volatile(
      "{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n}" ::"r"((u32)__cvta_generic_to_shared(&arrival)),
      "r"(parity)
      : "memory");
}

#endif

// What a slice is divided by: a power of two that makes the largest value one of float16's large ones, so that small ones
// keep their bits.
DEVICE float slice_scale(float most) {
  if (!(most > 1e-30f) || most > 3e38f) return 1.0f;
  return exp2f(ceilf(log2f(most / 32768.0f)));
}

// Four values of a row from column `at` of the slice on, zeros past its end.
DEVICE float4 slice_at(const float* row, int first_column, int at) {
  if (WHOLE_SLICES) return *(const float4*)(row + first_column + at);
  return input_at(row, first_column + at);
}

// A warp makes a token's slice into float16.
DEVICE void stage_token(const FusedArgs& args, Shared& shared, int token, int first_column, int lane) {
  float4 held[HELD];
  float squares = 0;
  float most = 0;
  const bool inside = token < args.tokens;
  const float* row = args.x + (long long)token * COLUMNS;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    const int at = i * 128 + lane * 4;
    held[i] = make_float4(0, 0, 0, 0);
    if (inside && at < SLICE) held[i] = slice_at(row, first_column, at);
  }
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    float4& v = held[i];
    if (NORMED) {
      squares += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
      const int at = i * 128 + lane * 4;
      const float4 w = at < SLICE ? slice_at(args.norm, first_column, at) : make_float4(0, 0, 0, 0);
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
    shared.own_squares[token] = squares;
  }
}

// A result: a token's row of the block's.
struct Result {
  int token;
  int row_in_block;
  int part;
  int row;  // of the part; negative: there is none
};

DEVICE Result result_at(const FusedArgs& args, int first_tile, u32 rank, int i) {
  const int row = i % OWN_ROWS;
  const int tile = first_tile + (rank * OWN_ROWS + row) / TILE_ROWS;
  Result result = {i / OWN_ROWS, row, 0, -1};
  if (result.token >= args.tokens || tile >= args.row_tiles || i >= OWN_ROWS * TOKENS) return result;
  if (!GATED) result.part = part_of(args.parts, tile);
  const int in_part = (tile - args.parts.first_tile[result.part]) * TILE_ROWS + row % TILE_ROWS;
  if (in_part < args.parts.rows[result.part]) result.row = in_part;
  return result;
}

DEVICE long long place_of(const FusedArgs& args, const Result& result) {
  return (long long)result.token * args.parts.rows[result.part] + result.row;
}

// Loaded where it stands, which is before the products.
DEVICE float residual_of(const FusedArgs& args, const Result& result) {
  float value = 0;
  if (args.residual != nullptr && result.row >= 0) {
    asm volatile("ld.global.f32 %0, [%1];" : "=f"(value) : "l"(args.residual + place_of(args, result)));
  }
  return value;
}

DEVICE float sum_of_slices(const Shared& shared, int buffer, int part, const Result& result) {
  float sum = 0;
#pragma unroll
  for (int rank = 0; rank < CLUSTER; ++rank) sum += shared.sums[buffer][rank][part][result.token][result.row_in_block];
  return sum;
}

DEVICE float norm_factor(const FusedArgs& args, const Shared& shared, int token) {
  if (!NORMED) return 1.0f;
  float squares = 0;
#pragma unroll
  for (int rank = 0; rank < CLUSTER; ++rank) squares += shared.squares[rank][token];
  return 1.0f / sqrtf(squares / COLUMNS + args.eps);
}

DEVICE void write_result(const FusedArgs& args, const Shared& shared, int buffer, const Result& result,
                         float residual) {
  if (result.row < 0) return;
  const float factor = norm_factor(args, shared, result.token);
  float y = sum_of_slices(shared, buffer, 0, result) * factor;
  if (args.parts.bias[result.part] != nullptr) y += args.parts.bias[result.part][result.row];
#if GATED
  float up = sum_of_slices(shared, buffer, 1, result) * factor;
  if (args.parts.bias[1] != nullptr) up += args.parts.bias[1][result.row];
  y = gated(args.gate, y, up);
#endif
  args.parts.out[result.part][place_of(args, result)] = y + residual;
}

// To the block that a warp's rows belong to.
DEVICE void send_sums(Shared& shared, int buffer, u32 rank, int warp, int lane, const float (&parts)[RT][NT][SUMS][4]) {
  float* own = &shared.sums[buffer][rank][0][0][warp * TILE_ROWS % OWN_ROWS + lane / 4];
#if CLUSTER > 1
  const u32 to = warp * TILE_ROWS / OWN_ROWS;
  const u32 first = address_in(own, to);
  const u32 arrival = address_in(&shared.arrivals[buffer], to);
#endif
#pragma unroll
  for (int n = 0; n < NT; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = n * 8 + lane % 4 * 2 + i % 2;
      const float scale = shared.scales[token];
#pragma unroll
      for (int r = 0; r < RT; ++r) {
        float sum = parts[r][n][0][i];
#pragma unroll
        for (int k = 1; k < SUMS; ++k) sum += parts[r][n][k][i];
        const int at = (r * TOKENS + token) * SUM_STRIDE + i / 2 * 8;
#if CLUSTER > 1
        send(first + at * sizeof(float), sum * scale, arrival);
#else
        own[at] = sum * scale;
#endif
      }
    }
  }
}

// The sums of squares of this block's slice, to all blocks.
DEVICE void send_squares(Shared& shared, u32 rank) {
  for (int i = threadIdx.x; i < CLUSTER * TOKENS; i += THREADS) {
    float* own = &shared.squares[rank][i % TOKENS];
#if CLUSTER > 1
    send(address_in(own, i / TOKENS), shared.own_squares[i % TOKENS], address_in(&shared.arrivals[0], i / TOKENS));
#else
    *own = shared.own_squares[i % TOKENS];
#endif
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) few(const __grid_constant__ FusedArgs args) {
  extern __shared__ __align__(128) u8 memory[];
  Shared& shared = *(Shared*)memory;
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
#if CLUSTER > 1
  const u32 rank = cluster_rank();
  if (threadIdx.x < BUFFERS) {
    u64& arrival = shared.arrivals[threadIdx.x];
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"((u32)__cvta_generic_to_shared(&arrival)) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    expect(arrival, SUM_BYTES + (NORMED && threadIdx.x == 0 ? SQUARE_BYTES : 0));
  }
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
#else
  const u32 rank = 0;
#endif
  const int first_column_tile = rank * SLICE_TILES;
  const int tiles = ALL_TILES_THERE ? SLICE_TILES : min(SLICE_TILES, COLUMN_TILES - first_column_tile);
  const long long row_bytes = (long long)COLUMN_TILES * TILE_BYTES;
  const long long to_second = GATED ? args.parts.first_tile[1] * row_bytes : 0;
  const int row_groups = (args.row_tiles + WARPS - 1) / WARPS;
  const int group_step = gridDim.x / CLUSTER;

  const auto load = [&](const u8* start, int tile, TileWords(&to)[RT]) {
    if (!ALL_TILES_THERE && tile >= tiles) return;
#pragma unroll
    for (int r = 0; r < RT; ++r) load_tile<true>(start + r * to_second + tile * TILE_BYTES, lane, to[r]);
  };
  int group = blockIdx.x / CLUSTER;
  // Past the last row tile that is loaded once more.
  const u8* start = args.tiles + min(group * WARPS + warp, args.row_tiles - 1) * row_bytes +
                    (long long)first_column_tile * TILE_BYTES;
  const long long to_next = (long long)group_step * WARPS * row_bytes;
  TileWords words[AHEAD][RT];
#pragma unroll
  for (int i = 0; i < AHEAD; ++i) load(start, i, words[i]);
  if (NORMED) {
    for (int at = threadIdx.x * 32; at < SLICE; at += THREADS * 32) {
      const int column = first_column_tile * TILE_COLUMNS + at;
      if (column < COLUMNS) asm volatile("prefetch.global.L2 [%0];" ::"l"(args.norm + column));
    }
  }
  allow_next();
  if (args.row_tiles > 0) wait_for_last();  // a branch, which the compiler moves no loads over

  for (int token = warp; token < TOKENS; token += WARPS) {
    stage_token(args, shared, token, first_column_tile * TILE_COLUMNS, lane);
  }
  __syncthreads();

  const u16* first_x = &shared.x[lane / 4][lane % 4 * 8];
  int turn = 0;
  for (; group < row_groups; group += group_step, ++turn) {
    const bool more = BUFFERS > 1 && group + group_step < row_groups;
    // Whether this warp has a row tile in the next group.
    const bool goes_on = BUFFERS > 1 && (group + group_step) * WARPS + warp < args.row_tiles;
    float residuals[RESULTS];  // on their way during the products
#pragma unroll
    for (int k = 0; k < RESULTS && EARLY_RESIDUALS; ++k) {
      residuals[k] = residual_of(args, result_at(args, group * WARPS, rank, threadIdx.x + k * THREADS));
    }
    float parts[RT][NT][SUMS][4] = {};
#pragma unroll UNROLLED
    for (int tile = 0; tile < ROUNDS; tile += AHEAD) {
#pragma unroll
      for (int i = 0; i < AHEAD; ++i) {
        if (ALL_TILES_THERE || tile + i < tiles) {
          TokenWords tokens;
          load_tokens(first_x + (tile + i) * TILE_COLUMNS, SLICE_STRIDE, ~0u, tokens);
          multiply_tile(words[i], tokens, parts);
        }
        if (tile + AHEAD < ROUNDS) {
          load(start, tile + AHEAD + i, words[i]);
        } else if (goes_on) {
          load(start + to_next, i, words[i]);
        }
      }
    }
    start += to_next;
    const int buffer = turn % BUFFERS;
#if CLUSTER > 1
    // All blocks run before one writes to another. Later sums wait for those before, which all threads of a block have
    // read before it sends the next; so those of two turns ago have been read.
    if (turn == 0) {
      asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
    } else {
      __syncthreads();
    }
#else
    if (turn > 0) __syncthreads();
#endif
    send_sums(shared, buffer, rank, warp, lane, parts);
    if (NORMED && turn == 0) send_squares(shared, rank);
#if CLUSTER > 1
    await(shared.arrivals[buffer], turn / BUFFERS % 2);
    if (more && threadIdx.x == 0) expect(shared.arrivals[buffer], SUM_BYTES);
#else
    __syncthreads();
#endif
    int thread = threadIdx.x;
    asm volatile("" : "+r"(thread));  // so that places of results take no registers during the products
#pragma unroll
    for (int k = 0; k < RESULTS; ++k) {
      const Result result = result_at(args, group * WARPS, rank, thread + k * THREADS);
      write_result(args, shared, buffer, result, EARLY_RESIDUALS ? residuals[k] : residual_of(args, result));
    }
    if (!more) break;
  }
}
