// Attention of steps of any kind, in three launches: q and k are rotated and k and v stored, the splits of each token's
// past attended to, and merged.

#include "kernels/cuda/source/paged.cu"

#define SPLIT 128  // tokens of a split
#define WARPS 8
#define KEYS_AT_ONCE (WARPS * 4)

// Grid: WARPS heads of a token's q, k and v, a warp each; row. Rotates q and k, stores k and v.
KERNEL(WARPS * 32) store(const __grid_constant__ StoreArgs args) {
  begin_kernel();
  const int row = blockIdx.y;
  int head = blockIdx.x * WARPS + threadIdx.x / 32;
  if (head >= args.heads + 2 * args.kv_heads) return;
  const int position = step_ints(args.step, header(args.step)->positions_at)[row];
  const int sequence = step_ints(args.step, header(args.step)->sequences_at)[row];
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
    u8* layer = layer_of(args.step, sequence, position, args.layer_at);
    to = (Stored*)(layer + (long long)((is_v ? args.kv_heads : 0) + head) * HEAD_BYTES) +
         position % BLOCK_TOKENS * PADDED_DIM;
  }
  for (int p = threadIdx.x % 32; p < (HEAD_DIM + 1) / 2; p += 32) {
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
    for (int i = HEAD_DIM + threadIdx.x % 32; i < PADDED_DIM; i += 32) to[i] = 0;
  }
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
      const u8* layer = layer_of(args.step, sequence, key, args.layer_at);
      const long long at = (long long)key % BLOCK_TOKENS * PADDED_DIM + share * LANE_VALUES;
      to_floats(load_stored((const Stored*)(layer + (long long)kv_head * HEAD_BYTES) + at), k);
      to_floats(load_stored((const Stored*)(layer + (long long)(args.kv_heads + kv_head) * HEAD_BYTES) + at), v);
    }
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
      float score = 0;
#pragma unroll
      for (int i = 0; i < LANE_VALUES; ++i) score += q[h][i] * k[i];
      for (int i = 4; i > 0; i /= 2) score += __shfl_xor_sync(0xffffffffu, score, i);
      if (args.soft_cap > 0) score = args.soft_cap * tanhf(score / args.soft_cap);
      if (seen) attend_key(score, v, softmax[h], sums[h]);
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
