// Paged attention. HEAD_DIM is the model's; PADDED_DIM the multiple of 64 that the cache has; GROUP query heads share
// a kv head, of which a block takes HEADS. KV is 16 for float16 and 32 for float32.
// A layer in a block is [keys, values][kv_heads][BLOCK_TOKENS][PADDED_DIM].

#define BLOCK_TOKENS 64
#define SPLIT 128   // tokens of a split
#define WARPS 8
#define LANE_VALUES (PADDED_DIM / 8)  // eight lanes share a key
#define KEYS_AT_ONCE (WARPS * 4)

#if KV == 16
typedef u16 Stored;
#else
typedef float Stored;
#endif
#define HEAD_BYTES (BLOCK_TOKENS * PADDED_DIM * (KV / 8))

DEVICE u8* layer_of(const u8* step, int sequence, int position, int windowed, long long layer_at) {
  const StepHeader* h = header(step);
  const u64* table = (const u64*)(step + (windowed ? h->windowed_at : h->blocks_at));
  return (u8*)table[(long long)sequence * h->table_width + position / BLOCK_TOKENS] + layer_at;
}

// Head y of a token's q, k and v: rotates q and k, stores k and v.
KERNEL(64) store(const __grid_constant__ StoreArgs args) {
  begin_kernel();
  const int row = blockIdx.y;
  const int position = step_ints(args.step, header(args.step)->positions_at)[row];
  const int sequence = step_ints(args.step, header(args.step)->sequences_at)[row];
  int head = blockIdx.x;
  const bool is_q = head < args.heads;
  if (!is_q) head -= args.heads;
  const bool is_v = !is_q && head >= args.kv_heads;
  if (is_v) head -= args.kv_heads;
  const int heads = is_q ? args.heads : args.kv_heads;
  const float* from = (is_q ? args.q : is_v ? args.v : args.k) + ((long long)row * heads + head) * HEAD_DIM;
  const float* cos_sin = args.cos_sin + (long long)row * args.rope_dim;
  const int half = args.rope_dim / 2;
  Stored* to = nullptr;
  if (!is_q) {
    u8* layer = layer_of(args.step, sequence, position, args.windowed, args.layer_at);
    to = (Stored*)(layer + (long long)((is_v ? args.kv_heads : 0) + head) * HEAD_BYTES) +
         position % BLOCK_TOKENS * PADDED_DIM;
  }
  for (int p = threadIdx.x; p < (HEAD_DIM + 1) / 2; p += blockDim.x) {
    int first = 2 * p;
    int second = 2 * p + 1;
    float cosine = 1, sine = 0;
    if (p < half) {
      if (!args.interleaved) {
        first = p;
        second = p + half;
      }
      if (!is_v) {
        cosine = cos_sin[p];
        sine = cos_sin[half + p];
      }
    }
    const float a = from[first];
    const float b = second < HEAD_DIM ? from[second] : 0.0f;
    float x = a * cosine - b * sine;
    float y = a * sine + b * cosine;
    if (is_q) {
      float* q = args.rotated + ((long long)row * args.heads + head) * HEAD_DIM;
      q[first] = x * args.scale;
      if (second < HEAD_DIM) q[second] = y * args.scale;
    } else {
#if KV == 16
      to[first] = to_half(x);
      if (second < HEAD_DIM) to[second] = to_half(y);
#else
      to[first] = x;
      if (second < HEAD_DIM) to[second] = y;
#endif
    }
  }
  if (!is_q) {
    for (int i = HEAD_DIM + threadIdx.x; i < PADDED_DIM; i += blockDim.x) to[i] = 0;
  }
}

// LANE_VALUES values that begin at a multiple of 8.
DEVICE void load_values(const Stored* from, float (&to)[LANE_VALUES]) {
#pragma unroll
  for (int i = 0; i < LANE_VALUES; i += KV == 16 ? 8 : 4) {
    const uint4 v = *(const uint4*)(from + i);
#if KV == 16
    to[i] = low_half(v.x);
    to[i + 1] = high_half(v.x);
    to[i + 2] = low_half(v.y);
    to[i + 3] = high_half(v.y);
    to[i + 4] = low_half(v.z);
    to[i + 5] = high_half(v.z);
    to[i + 6] = low_half(v.w);
    to[i + 7] = high_half(v.w);
#else
    to[i] = __uint_as_float(v.x);
    to[i + 1] = __uint_as_float(v.y);
    to[i + 2] = __uint_as_float(v.z);
    to[i + 3] = __uint_as_float(v.w);
#endif
  }
}

struct Softmax {
  float most;
  float sum;
};

DEVICE void finish(const AttendArgs& args, int row, int head, int d, float value, float sum) {
  const float y = value / sum;
  const int at = head * HEAD_DIM + d;
  args.out[(long long)row * args.heads * HEAD_DIM + at] = y;
  if (args.half_out != nullptr) args.half_out[(long long)row * args.half_stride + at] = to_half(y);
}

// A sink is one more score in the sum, relative to the largest of the others.
DEVICE float with_sink(const AttendArgs& args, int head, Softmax softmax) {
  return args.sinks == nullptr ? softmax.sum : softmax.sum + expf(args.sinks[head] - softmax.most);
}

// Grid: kv head and part of its query heads, row, split.
KERNEL(WARPS * 32) attend(const __grid_constant__ AttendArgs args) {
  begin_kernel();
  const int kv_head = blockIdx.x / (GROUP / HEADS);
  const int first_head = kv_head * GROUP + blockIdx.x % (GROUP / HEADS) * HEADS;
  const int row = args.first_row + blockIdx.y;
  const int position = step_ints(args.step, header(args.step)->positions_at)[row];
  const int sequence = step_ints(args.step, header(args.step)->sequences_at)[row];
  int begin = blockIdx.z * SPLIT;
  const int end = min(begin + SPLIT, position + 1);
  if (args.window > 0) begin = max(begin, position + 1 - args.window);
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int share = lane % 8;  // of the head's values
  float* partial =
      args.partial + (((long long)blockIdx.y * args.heads + first_head) * args.splits + blockIdx.z) * (HEAD_DIM + 2);
  const long long partial_stride = (long long)args.splits * (HEAD_DIM + 2);
  if (begin >= end) {
    if (args.splits > 1 && threadIdx.x < HEADS) partial[threadIdx.x * partial_stride] = -INFINITY;
    return;
  }

  float q[HEADS][LANE_VALUES];
  float sums[HEADS][LANE_VALUES] = {};
  Softmax softmax[HEADS];
#pragma unroll
  for (int h = 0; h < HEADS; ++h) {
    softmax[h] = {-INFINITY, 0};
    const float* from = args.q + ((long long)row * args.heads + first_head + h) * HEAD_DIM;
#pragma unroll
    for (int i = 0; i < LANE_VALUES; ++i) {
      const int d = share * LANE_VALUES + i;
      q[h][i] = d < HEAD_DIM ? from[d] : 0.0f;
    }
  }
  for (int key = begin / KEYS_AT_ONCE * KEYS_AT_ONCE + warp * 4 + lane / 8; key - lane / 8 < end; key += KEYS_AT_ONCE) {
    const bool seen = key >= begin && key < end;
    float k[LANE_VALUES] = {};
    float v[LANE_VALUES] = {};
    if (seen) {
      const u8* layer = layer_of(args.step, sequence, key, args.windowed, args.layer_at);
      const long long at = (long long)key % BLOCK_TOKENS * PADDED_DIM + share * LANE_VALUES;
      load_values((const Stored*)(layer + (long long)kv_head * HEAD_BYTES) + at, k);
      load_values((const Stored*)(layer + (long long)(args.kv_heads + kv_head) * HEAD_BYTES) + at, v);
    }
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
      float score = 0;
#pragma unroll
      for (int i = 0; i < LANE_VALUES; ++i) score += q[h][i] * k[i];
      for (int i = 4; i > 0; i /= 2) score += __shfl_xor_sync(0xffffffffu, score, i);
      if (args.soft_cap > 0) score = args.soft_cap * tanhf(score / args.soft_cap);
      if (!seen) continue;
      const float most = fmaxf(softmax[h].most, score);
      const float old = expf(softmax[h].most - most);
      const float weight = expf(score - most);
      softmax[h] = {most, softmax[h].sum * old + weight};
#pragma unroll
      for (int i = 0; i < LANE_VALUES; ++i) sums[h][i] = sums[h][i] * old + weight * v[i];
    }
  }

  // Four keys a warp, then the warps, each in its order.
  __shared__ float values[WARPS][HEADS][PADDED_DIM];
  __shared__ Softmax states[WARPS][HEADS];
#pragma unroll
  for (int h = 0; h < HEADS; ++h) {
    float most = softmax[h].most;
    for (int i = 8; i < 32; i *= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, i));
    const float factor = softmax[h].most == -INFINITY ? 0.0f : expf(softmax[h].most - most);
    float sum = softmax[h].sum * factor;
    for (int i = 8; i < 32; i *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, i);
#pragma unroll
    for (int i = 0; i < LANE_VALUES; ++i) {
      float value = sums[h][i] * factor;
      for (int j = 8; j < 32; j *= 2) value += __shfl_xor_sync(0xffffffffu, value, j);
      if (lane < 8) values[warp][h][share * LANE_VALUES + i] = value;
    }
    if (lane == 0) states[warp][h] = {most, sum};
  }
  __syncthreads();
  for (int at = threadIdx.x; at < HEADS * HEAD_DIM; at += WARPS * 32) {
    const int h = at / HEAD_DIM;
    const int d = at % HEAD_DIM;
    Softmax all = {-INFINITY, 0};
    for (int w = 0; w < WARPS; ++w) all.most = fmaxf(all.most, states[w][h].most);
    float value = 0;
    for (int w = 0; w < WARPS; ++w) {
      const float factor = states[w][h].most == -INFINITY ? 0.0f : expf(states[w][h].most - all.most);
      all.sum += states[w][h].sum * factor;
      value += values[w][h][d] * factor;
    }
    if (args.splits == 1) {
      finish(args, row, first_head + h, d, value, with_sink(args, first_head + h, all));
    } else {
      float* to = partial + h * partial_stride;
      if (d == 0) {
        to[0] = all.most;
        to[1] = all.sum;
      }
      to[2 + d] = value;
    }
  }
}

// Adds up the splits in their order. Grid: head, row.
KERNEL(128) merge(const __grid_constant__ AttendArgs args) {
  begin_kernel();
  const int head = blockIdx.x;
  const int row = args.first_row + blockIdx.y;
  const float* from = args.partial + ((long long)blockIdx.y * args.heads + head) * args.splits * (HEAD_DIM + 2);
  Softmax all = {-INFINITY, 0};
  for (int s = 0; s < args.splits; ++s) all.most = fmaxf(all.most, from[(long long)s * (HEAD_DIM + 2)]);
  for (int d = threadIdx.x; d < HEAD_DIM; d += blockDim.x) {
    float value = 0;
    all.sum = 0;
    for (int s = 0; s < args.splits; ++s) {
      const float* split = from + (long long)s * (HEAD_DIM + 2);
      if (split[0] == -INFINITY) continue;
      const float factor = expf(split[0] - all.most);
      all.sum += split[1] * factor;
      value += split[2 + d] * factor;
    }
    finish(args, row, head, d, value, with_sink(args, head, all));
  }
}

#if KV == 16 && PADDED_DIM <= 128

// Attention of many tokens of a sequence: a block takes PROMPT_ROWS rows, which are all heads of a group of PROMPT_TOKENS
// tokens, and a warp 16 of them (Dao, arXiv:2307.08691). Products are float16 on tensor cores: queries in two parts, so
// that their rounding is that of float32, and the weights of values, which are at most 1, in one.
#define PROMPT_ROWS 64
#define PROMPT_TOKENS (PROMPT_ROWS / GROUP)
#define PROMPT_THREADS 128
#define PAGE_STRIDE (PADDED_DIM + 8)  // float16 of a key in shared memory, so that eight keys lie in different banks
#define DIM_STEPS (PADDED_DIM / 16)

DEVICE u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

DEVICE void load_matrices(u32 (&to)[4], const u16* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void load_transposed(u32 (&to)[4], const u16* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

// Begins to copy keys or values of a page, of one head.
DEVICE void fetch_page(const u16* from, u16 (*to)[PAGE_STRIDE]) {
  for (int i = threadIdx.x; i < BLOCK_TOKENS * PADDED_DIM / 8; i += PROMPT_THREADS) {
    const int key = i / (PADDED_DIM / 8);
    const int d = i % (PADDED_DIM / 8) * 8;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(&to[key][d])),
                 "l"(from + key * PADDED_DIM + d)
                 : "memory");
  }
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// All but the last `n` fetches have come, for all threads.
template <int n>
DEVICE void await_page() {
  asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
  __syncthreads();
}

// Two rows of the 16 by 8 results of a lane: those of lane / 4 and of lane / 4 + 8.
struct PromptRow {
  int row;       // of the step; -1: none
  int head;
  int position;
  int sequence;
};

DEVICE PromptRow prompt_row(const AttendArgs& args, int kv_head, int m) {
  const StepHeader* h = header(args.step);
  const int row = blockIdx.y * PROMPT_TOKENS + m / GROUP;
  if (m >= PROMPT_TOKENS * GROUP || row >= h->rows) return {-1, 0, -1, -1};
  return {row, kv_head * GROUP + m % GROUP, step_ints(args.step, h->positions_at)[row],
          step_ints(args.step, h->sequences_at)[row]};
}

// The first operand of the scores: columns 16 * step of two rows, and what float16 left of them.
DEVICE void load_query(const AttendArgs& args, const PromptRow (&rows)[2], int lane, u32 (&high)[DIM_STEPS][4],
                       u32 (&low)[DIM_STEPS][4]) {
#pragma unroll
  for (int step = 0; step < DIM_STEPS; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const PromptRow& r = rows[i % 2];
      const int d = step * 16 + i / 2 * 8 + lane % 4 * 2;
      const float* from = args.q + ((long long)r.row * args.heads + r.head) * HEAD_DIM + d;
      const float x = r.row >= 0 && d < HEAD_DIM ? from[0] : 0.0f;
      const float y = r.row >= 0 && d + 1 < HEAD_DIM ? from[1] : 0.0f;
      high[step][i] = half_pair(x, y);
      low[step][i] = half_pair(x - low_half(high[step][i]), y - high_half(high[step][i]));
    }
  }
}

// Grid: kv head; tokens, PROMPT_TOKENS at a time, which may be of several sequences.
KERNEL(PROMPT_THREADS) attend_prompt(const __grid_constant__ AttendArgs args) {
  begin_kernel();
  __shared__ u16 keys[BLOCK_TOKENS][PAGE_STRIDE];
  __shared__ u16 values[BLOCK_TOKENS][PAGE_STRIDE];
  const StepHeader* h = header(args.step);
  const int kv_head = blockIdx.x;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const PromptRow rows[2] = {prompt_row(args, kv_head, warp * 16 + lane / 4),
                             prompt_row(args, kv_head, warp * 16 + lane / 4 + 8)};
  u32 query[DIM_STEPS][4];
  u32 query_rest[DIM_STEPS][4];
  load_query(args, rows, lane, query, query_rest);
  float sums[PADDED_DIM / 8][4] = {};
  float most[2] = {-INFINITY, -INFINITY};
  float total[2] = {0, 0};

  const int* positions = step_ints(args.step, h->positions_at);
  const int* sequences = step_ints(args.step, h->sequences_at);
  const int first_row = blockIdx.y * PROMPT_TOKENS;
  const int end_row = min(first_row + PROMPT_TOKENS, h->rows);
  for (int row = first_row; row < end_row;) {
    const int sequence = sequences[row];
    const int first_position = positions[row];
    while (row < end_row && sequences[row] == sequence) ++row;
    const int last_position = positions[row - 1];
    const int begin = args.window > 0 ? max(0, first_position + 1 - args.window) : 0;
    const auto head = [&](int page, int which) {
      const u8* layer = layer_of(args.step, sequence, page * BLOCK_TOKENS, args.windowed, args.layer_at);
      return (const u16*)(layer + (long long)which * HEAD_BYTES);
    };
    const int end_page = last_position / BLOCK_TOKENS + 1;
    __syncthreads();
    fetch_page(head(begin / BLOCK_TOKENS, kv_head), keys);
    for (int page = begin / BLOCK_TOKENS; page < end_page; ++page) {
      fetch_page(head(page, args.kv_heads + kv_head), values);
      await_page<1>();
      float scores[BLOCK_TOKENS / 8][4] = {};
#pragma unroll
      for (int n = 0; n < BLOCK_TOKENS / 8; ++n) {
#pragma unroll
        for (int step = 0; step < DIM_STEPS; step += 2) {
          u32 b[4];
          load_matrices(b, &keys[n * 8 + lane % 8][step * 16 + lane / 8 * 8]);
          mma(scores[n], query[step], b[0], b[1]);
          mma(scores[n], query_rest[step], b[0], b[1]);
          mma(scores[n], query[step + 1], b[2], b[3]);
          mma(scores[n], query_rest[step + 1], b[2], b[3]);
        }
      }
      __syncthreads();
      if (page + 1 < end_page) {
        fetch_page(head(page + 1, kv_head), keys);
      } else {
        asm volatile("cp.async.commit_group;" ::: "memory");
      }
      float page_most[2] = {most[0], most[1]};
#pragma unroll
      for (int n = 0; n < BLOCK_TOKENS / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const PromptRow& r = rows[i / 2];
          const int key = page * BLOCK_TOKENS + n * 8 + lane % 4 * 2 + i % 2;
          const bool seen = r.sequence == sequence && key <= r.position &&
                            (args.window == 0 || key > r.position - args.window);
          if (args.soft_cap > 0) scores[n][i] = args.soft_cap * tanhf(scores[n][i] / args.soft_cap);
          if (!seen) scores[n][i] = -INFINITY;
          page_most[i / 2] = fmaxf(page_most[i / 2], scores[n][i]);
        }
      }
      float old[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        page_most[r] = fmaxf(page_most[r], __shfl_xor_sync(0xffffffffu, page_most[r], 1));
        page_most[r] = fmaxf(page_most[r], __shfl_xor_sync(0xffffffffu, page_most[r], 2));
        old[r] = most[r] == -INFINITY ? 0.0f : __expf(most[r] - page_most[r]);
        most[r] = page_most[r];
        total[r] *= old[r];
      }
#pragma unroll
      for (int n = 0; n < BLOCK_TOKENS / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float weight = scores[n][i] == -INFINITY ? 0.0f : __expf(scores[n][i] - most[i / 2]);
          total[i / 2] += weight;
          scores[n][i] = weight;
        }
      }
#pragma unroll
      for (int n = 0; n < PADDED_DIM / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[n][i] *= old[i / 2];
      }
      await_page<1>();
#pragma unroll
      for (int step = 0; step < BLOCK_TOKENS / 16; ++step) {
        const u32 weights[4] = {half_pair(scores[2 * step][0], scores[2 * step][1]),
                                half_pair(scores[2 * step][2], scores[2 * step][3]),
                                half_pair(scores[2 * step + 1][0], scores[2 * step + 1][1]),
                                half_pair(scores[2 * step + 1][2], scores[2 * step + 1][3])};
#pragma unroll
        for (int n = 0; n < PADDED_DIM / 8; n += 2) {
          u32 b[4];
          load_transposed(b, &values[step * 16 + lane % 16][n * 8 + lane / 16 * 8]);
          mma(sums[n], weights, b[0], b[1]);
          mma(sums[n + 1], weights, b[2], b[3]);
        }
      }
      __syncthreads();
    }
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 1);
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 2);
    if (rows[r].row < 0) continue;
    const float sum = with_sink(args, rows[r].head, {most[r], total[r]});
#pragma unroll
    for (int n = 0; n < PADDED_DIM / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int d = n * 8 + lane % 4 * 2 + i;
        if (d < HEAD_DIM) finish(args, rows[r].row, rows[r].head, d, sums[n][r * 2 + i], sum);
      }
    }
  }
}

#endif
