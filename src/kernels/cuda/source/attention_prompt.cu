// Attention of many tokens of a sequence: a block takes PROMPT_ROWS rows, which are all heads of a group of PROMPT_TOKENS
// tokens, and a warp 16 of them (Dao, arXiv:2307.08691). Products are float16 on tensor cores: queries in two parts, so
// that their rounding is that of float32, and the weights of values, which are at most 1, in one.

#include "kernels/cuda/source/paged.cu"

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
      const u8* layer = layer_of(args.step, sequence, page * BLOCK_TOKENS, args.layer_at);
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
