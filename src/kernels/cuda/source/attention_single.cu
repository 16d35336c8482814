// Attention of one token of each sequence, in one launch: a block takes some heads of a kv head and SPLIT_PAGES pages of
// their past. It rotates the queries; the block of the token's own page rotates and stores its key and its value. A warp
// takes WARP_KEYS keys of each page by itself, with a softmax of its own, and the warps are merged at the end. The
// block that is the last to come to an end merges, in the order of the pages. BLOCKS are to be on a multiprocessor at a
// time.

#include "kernels/cuda/source/paged.cu"

#define WARPS 8
#define THREADS (WARPS * 32)
#define WARP_KEYS (BLOCK_TOKENS / WARPS)
#define TURNS (WARP_KEYS / 4)        // of four keys, eight lanes for each
#define CHUNK (128 / KV)             // values of a key that a lane loads at once; those of eight lanes lie side by side
#define CHUNKS (LANE_VALUES / CHUNK)
#define COLUMNS (PADDED_DIM / 32)    // of the values, that a lane adds up
#define COLUMN_WORDS (COLUMNS * KV / 32)
#define PAIRS (PADDED_DIM / 2)
#define HOLDS_QUERIES (BLOCKS <= 2 && HEADS * LANE_VALUES <= 48)  // in registers
// A longer past has larger splits, so that there are not too many to be merged. Only the token's position tells.
#define SPLIT_PAGES(position) ((position) < 4096 ? 1 : 4)

#if KV == 16
typedef u32 StoredPair;
DEVICE StoredPair stored_pair(float x, float y) { return half_pair(x, y); }
#else
typedef float2 StoredPair;
DEVICE StoredPair stored_pair(float x, float y) { return make_float2(x, y); }
#endif

struct Shared {
  __align__(16) float queries[HEADS][PADDED_DIM];
  __align__(16) StoredPair own_key[PAIRS];  // the token's
  __align__(16) StoredPair own_value[PAIRS];
  __align__(16) float values[WARPS][HEADS][PADDED_DIM];  // sums relative to the warp's largest score
  Softmax warps[WARPS][HEADS];
  Softmax softmax[HEADS];
  bool is_last;
};

// Value d of a head, rotated.
DEVICE float rotated(const SingleAttendArgs& args, const float* from, const float* cos_sin, int d) {
  if (d >= HEAD_DIM) return 0.0f;
  if (d >= args.rope_dim) return from[d];
  const int half = args.rope_dim / 2;
  const int pair = args.interleaved ? d / 2 : d % half;
  const bool second = args.interleaved ? d % 2 == 1 : d >= half;
  const float a = from[args.interleaved ? pair * 2 : pair];
  const float b = from[args.interleaved ? pair * 2 + 1 : pair + half];
  return second ? a * cos_sin[half + pair] + b * cos_sin[pair] : a * cos_sin[pair] - b * cos_sin[half + pair];
}

// What a lane holds of its warp's keys of a page: shares of TURNS keys, and its columns of all their values.
struct PageWords {
  uint4 keys[TURNS][CHUNKS];
  u32 values[WARP_KEYS][COLUMN_WORDS];
};

DEVICE void load_key(const Stored* key, int lane, uint4 (&words)[CHUNKS]) {
#pragma unroll
  for (int i = 0; i < CHUNKS; ++i) words[i] = *(const uint4*)(key + (i * 8 + lane % 8) * CHUNK);
}
DEVICE void load_columns(const Stored* value, int lane, u32 (&words)[COLUMN_WORDS]) {
  const u32* from = (const u32*)(value + lane * COLUMNS);
#if COLUMNS * KV % 128 == 0
#pragma unroll
  for (int i = 0; i < COLUMN_WORDS / 4; ++i) {
    const uint4 v = ((const uint4*)from)[i];
    words[4 * i] = v.x;
    words[4 * i + 1] = v.y;
    words[4 * i + 2] = v.z;
    words[4 * i + 3] = v.w;
  }
#elif COLUMNS * KV % 64 == 0
#pragma unroll
  for (int i = 0; i < COLUMN_WORDS / 2; ++i) {
    const uint2 v = ((const uint2*)from)[i];
    words[2 * i] = v.x;
    words[2 * i + 1] = v.y;
  }
#else
#pragma unroll
  for (int i = 0; i < COLUMN_WORDS; ++i) words[i] = from[i];
#endif
}
DEVICE void load_keys(const Stored* keys, int warp, int lane, PageWords& page) {
#pragma unroll
  for (int i = 0; i < TURNS; ++i) load_key(keys + (warp * WARP_KEYS + i * 4 + lane / 8) * PADDED_DIM, lane, page.keys[i]);
}
DEVICE void load_values(const Stored* values, int warp, int lane, PageWords& page) {
#pragma unroll
  for (int i = 0; i < WARP_KEYS; ++i) load_columns(values + (warp * WARP_KEYS + i) * PADDED_DIM, lane, page.values[i]);
}

#if KV == 16
DEVICE void key_floats(const uint4& v, float (&to)[CHUNK]) {
  to[0] = low_half(v.x);
  to[1] = high_half(v.x);
  to[2] = low_half(v.y);
  to[3] = high_half(v.y);
  to[4] = low_half(v.z);
  to[5] = high_half(v.z);
  to[6] = low_half(v.w);
  to[7] = high_half(v.w);
}
DEVICE float column(const u32 (&words)[COLUMN_WORDS], int i) {
  return i % 2 == 0 ? low_half(words[i / 2]) : high_half(words[i / 2]);
}
#else
DEVICE void key_floats(const uint4& v, float (&to)[CHUNK]) {
  to[0] = __uint_as_float(v.x);
  to[1] = __uint_as_float(v.y);
  to[2] = __uint_as_float(v.z);
  to[3] = __uint_as_float(v.w);
}
DEVICE float column(const u32 (&words)[COLUMN_WORDS], int i) { return __uint_as_float(words[i]); }
#endif

// Rotates what the block needs of the token, and stores its key and value at `key` and `value`, null: another block does.
DEVICE void take_token(const SingleAttendArgs& args, Shared& shared, int row, int kv_head, int first_head, Stored* key,
                       Stored* value) {
  const AttendArgs& a = args.attend;
  const float* cos_sin = args.cos_sin + (long long)row * args.rope_dim;
  for (int i = threadIdx.x; i < HEADS * PADDED_DIM; i += THREADS) {
    const int h = i / PADDED_DIM;
    const float* from = args.q + ((long long)row * a.heads + first_head + h) * HEAD_DIM;
    shared.queries[h][i % PADDED_DIM] = rotated(args, from, cos_sin, i % PADDED_DIM) * args.scale;
  }
  if (key == nullptr) return;
  const long long at = ((long long)row * a.kv_heads + kv_head) * HEAD_DIM;
  for (int i = threadIdx.x; i < PAIRS; i += THREADS) {
    const int d = 2 * i;
    const StoredPair k = stored_pair(rotated(args, args.k + at, cos_sin, d), rotated(args, args.k + at, cos_sin, d + 1));
    const StoredPair v = stored_pair(d < HEAD_DIM ? args.v[at + d] : 0.0f, d + 1 < HEAD_DIM ? args.v[at + d + 1] : 0.0f);
    shared.own_key[i] = k;
    shared.own_value[i] = v;
    ((StoredPair*)key)[i] = k;
    ((StoredPair*)value)[i] = v;
  }
}

// Four values of a query from value `j` of a lane's share on.
DEVICE float4 query_at(const Shared& shared, int h, int j, int lane) {
  return *(const float4*)&shared.queries[h][(j / CHUNK * 8 + lane % 8) * CHUNK + j % CHUNK];
}

// Of the warp's keys of a page, for each head and turn the score of the lane's key.
DEVICE void score_keys(const AttendArgs& a, const Shared& shared, const PageWords& words, int first_key, int begin,
                       int position, int lane, const float4 (&queries)[HEADS][LANE_VALUES / 4], float (&scores)[HEADS][TURNS]) {
#pragma unroll
  for (int i = 0; i < TURNS; ++i) {
    const int key = first_key + i * 4 + lane / 8;
    float sums[HEADS] = {};
#pragma unroll
    for (int j = 0; j < CHUNKS; ++j) {
      float k[CHUNK];
      const uint4* own = (const uint4*)((const Stored*)shared.own_key + (j * 8 + lane % 8) * CHUNK);
      uint4 word = words.keys[i][j];
      if (key == position) word = *own;
      key_floats(word, k);
#pragma unroll
      for (int h = 0; h < HEADS; ++h) {
#pragma unroll
        for (int e = 0; e < CHUNK; e += 4) {
          const float4 q = HOLDS_QUERIES ? queries[h][(j * CHUNK + e) / 4] : query_at(shared, h, j * CHUNK + e, lane);
          sums[h] += (q.x * k[e] + q.y * k[e + 1]) + (q.z * k[e + 2] + q.w * k[e + 3]);
        }
      }
    }
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
      float score = sums[h];
#pragma unroll
      for (int j = 4; j > 0; j /= 2) score += __shfl_xor_sync(0xffffffffu, score, j);
      if (a.soft_cap > 0) score = a.soft_cap * tanhf(score / a.soft_cap);
      scores[h][i] = key >= begin && key <= position ? score : -INFINITY;
    }
  }
}

// Makes scores into weights relative to the warp's largest so far. Returns the factor of what was added up before. Of
// `softmax` the sum is that of the lane's keys.
DEVICE float weigh(float (&scores)[TURNS], Softmax& softmax) {
  float most = softmax.most;
#pragma unroll
  for (int i = 0; i < TURNS; ++i) most = fmaxf(most, scores[i]);
  most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 8));
  most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 16));
  const float base = most == -INFINITY ? 0.0f : most;
  const float factor = expf(softmax.most - base);
  softmax = {most, softmax.sum * factor};
#pragma unroll
  for (int i = 0; i < TURNS; ++i) {
    scores[i] = expf(scores[i] - base);
    softmax.sum += scores[i];
  }
  return factor;
}

DEVICE void add_values(const Shared& shared, const PageWords& words, int first_key, int position, int lane,
                       const float (&weights)[HEADS][TURNS], float (&sums)[HEADS][COLUMNS]) {
#pragma unroll
  for (int i = 0; i < WARP_KEYS; ++i) {
    const int key = first_key + i;
    // What lies behind the token is not its past, and may be anything.
    if (key > position) break;
    float weight[HEADS];
#pragma unroll
    for (int h = 0; h < HEADS; ++h) weight[h] = __shfl_sync(0xffffffffu, weights[h][i / 4], i % 4 * 8);
    u32 value[COLUMN_WORDS];
#pragma unroll
    for (int j = 0; j < COLUMN_WORDS; ++j) value[j] = words.values[i][j];
    if (key == position) load_columns((const Stored*)shared.own_value, lane, value);
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
      const float v = column(value, c);
#pragma unroll
      for (int h = 0; h < HEADS; ++h) sums[h][c] += weight[h] * v;
    }
  }
}

// The warps' sums of a value, in their order, relative to the largest score.
DEVICE float merge_warps(const Shared& shared, int h, int d, Softmax& softmax) {
  softmax = {-INFINITY, 0};
#pragma unroll
  for (int w = 0; w < WARPS; ++w) softmax.most = fmaxf(softmax.most, shared.warps[w][h].most);
  const float base = softmax.most == -INFINITY ? 0.0f : softmax.most;
  float value = 0;
#pragma unroll
  for (int w = 0; w < WARPS; ++w) {
    const float factor = expf(shared.warps[w][h].most - base);
    softmax.sum += shared.warps[w][h].sum * factor;
    value += shared.values[w][h][d] * factor;
  }
  return value;
}

// Adds up the splits of the block's heads in their order.
DEVICE void merge_splits(const AttendArgs& a, Shared& shared, const float* partial, int n_splits, int row,
                         int first_head) {
  const long long head_stride = (long long)a.splits * (HEAD_DIM + 2);
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  if (warp < HEADS) {
    const float* from = partial + warp * head_stride;
    float most = -INFINITY;
    for (int s = lane; s < n_splits; s += 32) most = fmaxf(most, __ldcg(from + s * (HEAD_DIM + 2)));
    most = warp_max(most);
    float sum = 0;
    for (int s = lane; s < n_splits; s += 32) {
      const float* one = from + s * (HEAD_DIM + 2);
      sum += __ldcg(one + 1) * expf(__ldcg(one) - most);
    }
    sum = warp_sum(sum);
    if (lane == 0) shared.softmax[warp] = {most, sum};
  }
  __syncthreads();
  for (int at = threadIdx.x; at < HEADS * HEAD_DIM; at += THREADS) {
    const int h = at / HEAD_DIM;
    const float* from = partial + h * head_stride;
    const float most = shared.softmax[h].most;
    float value = 0;
#pragma unroll 8
    for (int s = 0; s < n_splits; ++s) {
      const float* one = from + s * (HEAD_DIM + 2);
      value += __ldcg(one + 2 + at % HEAD_DIM) * expf(__ldcg(one) - most);
    }
    finish(a, row, first_head + h, at % HEAD_DIM, value, with_sink(a, first_head + h, shared.softmax[h]));
  }
}

// Grid: kv head and part of its query heads, row, split.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) attend_single(const __grid_constant__ SingleAttendArgs args) {
  const AttendArgs& a = args.attend;
  __shared__ __align__(16) Shared shared;
  const int kv_head = blockIdx.x / (GROUP / HEADS);
  const int first_head = kv_head * GROUP + blockIdx.x % (GROUP / HEADS) * HEADS;
  const int row = blockIdx.y;
  // The step's tables were written before its first kernel was launched, and the pages' older tokens by older steps.
  const int position = step_ints(a.step, header(a.step)->positions_at)[row];
  const int sequence = step_ints(a.step, header(a.step)->sequences_at)[row];
  const int pages = SPLIT_PAGES(position);
  const int begin = a.window > 0 ? max(0, position + 1 - a.window) : 0;  // the first token that is attended to
  const int first_split = begin / BLOCK_TOKENS / pages;
  const int own_split = position / BLOCK_TOKENS / pages;
  const int split = blockIdx.z + first_split;
  if (split > own_split) {
    allow_next();
    wait_for_last();
    return;
  }
  const int first_page = max(split * pages, begin / BLOCK_TOKENS);
  const int last_page = min(split * pages + pages - 1, position / BLOCK_TOKENS);
  const auto keys_of = [&](int page) {
    u8* layer = layer_of(a.step, sequence, page * BLOCK_TOKENS, a.layer_at);
    return (Stored*)(layer + (long long)kv_head * HEAD_BYTES);
  };
  const long long to_values = (long long)a.kv_heads * HEAD_BYTES / sizeof(Stored);
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  PageWords words;
  Stored* keys = keys_of(first_page);
  load_keys(keys, warp, lane, words);
  load_values(keys + to_values, warp, lane, words);
  allow_next();
  if (a.heads > 0) wait_for_last();  // a branch, which the compiler moves no loads over

  const bool stores = split == own_split;
  Stored* own = stores ? keys_of(last_page) + position % BLOCK_TOKENS * PADDED_DIM : nullptr;
  take_token(args, shared, row, kv_head, first_head, own, own + to_values);
  __syncthreads();
  float4 queries[HEADS][LANE_VALUES / 4];
  float sums[HEADS][COLUMNS] = {};
  Softmax softmax[HEADS];
#pragma unroll
  for (int h = 0; h < HEADS; ++h) {
    softmax[h] = {-INFINITY, 0};
#pragma unroll
    for (int j = 0; j < LANE_VALUES && HOLDS_QUERIES; j += 4) queries[h][j / 4] = query_at(shared, h, j, lane);
  }
#pragma unroll 1
  for (int page = first_page; page <= last_page; ++page) {
    const int first_key = page * BLOCK_TOKENS + warp * WARP_KEYS;
    float scores[HEADS][TURNS];
    score_keys(a, shared, words, first_key, begin, position, lane, queries, scores);
    if (page < last_page) {
      keys = keys_of(page + 1);
      load_keys(keys, warp, lane, words);
    }
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
      const float factor = weigh(scores[h], softmax[h]);
#pragma unroll
      for (int c = 0; c < COLUMNS; ++c) sums[h][c] *= factor;
    }
    add_values(shared, words, first_key, position, lane, scores, sums);
    if (page < last_page) load_values(keys + to_values, warp, lane, words);
  }

#pragma unroll
  for (int h = 0; h < HEADS; ++h) {
    softmax[h].sum += __shfl_xor_sync(0xffffffffu, softmax[h].sum, 8);
    softmax[h].sum += __shfl_xor_sync(0xffffffffu, softmax[h].sum, 16);
    if (lane == 0) shared.warps[warp][h] = softmax[h];
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) shared.values[warp][h][lane * COLUMNS + c] = sums[h][c];
  }
  __syncthreads();
  const int n_splits = own_split - first_split + 1;
  float* partial = a.partial + ((long long)row * a.heads + first_head) * a.splits * (HEAD_DIM + 2);
  for (int at = threadIdx.x; at < HEADS * HEAD_DIM; at += THREADS) {
    const int h = at / HEAD_DIM;
    const int d = at % HEAD_DIM;
    Softmax merged;
    const float value = merge_warps(shared, h, d, merged);
    if (n_splits == 1) {
      finish(a, row, first_head + h, d, value, with_sink(a, first_head + h, merged));
    } else {
      float* to = partial + ((long long)h * a.splits + split - first_split) * (HEAD_DIM + 2);
      if (d == 0) {
        to[0] = merged.most;
        to[1] = merged.sum;
      }
      to[2 + d] = value;
    }
  }
  if (n_splits == 1) return;

  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    int* arrivals = args.arrivals + row * gridDim.x + blockIdx.x;
    shared.is_last = atomicAdd(arrivals, 1) == n_splits - 1;
    if (shared.is_last) *arrivals = 0;  // for the next launch
  }
  __syncthreads();
  if (!shared.is_last) return;
  __threadfence();
  merge_splits(a, shared, partial, n_splits, row, first_head);
}
