// Attention of one token of each sequence, in one launch: a block takes some heads of a kv head and SPLIT_PAGES pages of
// their past. It rotates the queries; the block of the token's own page rotates and stores its key and its value. The
// block that is the last to come to an end merges, in the order of the pages. BLOCKS are to be on a multiprocessor at a time.

#include "kernels/cuda/source/paged.cu"

#define THREADS 256
#define LANES_KEYS (THREADS / 8)                  // keys that all threads compute at once, eight for each
#define PAGE_KEYS (BLOCK_TOKENS / LANES_KEYS)     // of eight threads in a page
#define PAIRS (PADDED_DIM / 2)                    // of a value's columns; a thread adds up one
#define VALUE_GROUPS (THREADS / PAIRS)            // of threads that add up some of a page's values each
#define GROUP_KEYS (BLOCK_TOKENS / VALUE_GROUPS)  // whose values a thread adds up
// A longer past has larger splits, so that there are not too many to be merged. Only the token's position tells.
#define SPLIT_PAGES(position) ((position) < 4096 ? 1 : 4)

#if KV == 16
typedef u32 StoredPair;
DEVICE float2 floats_of(StoredPair pair) { return make_float2(low_half(pair), high_half(pair)); }
DEVICE StoredPair stored_pair(float x, float y) { return half_pair(x, y); }
#else
typedef float2 StoredPair;
DEVICE float2 floats_of(StoredPair pair) { return pair; }
DEVICE StoredPair stored_pair(float x, float y) { return make_float2(x, y); }
#endif

struct Shared {
  __align__(16) float queries[HEADS][PADDED_DIM];
  __align__(16) StoredPair own_key[PAIRS];  // the token's
  __align__(16) StoredPair own_value[PAIRS];
  __align__(16) float values[VALUE_GROUPS][HEADS][PADDED_DIM];
  float scores[HEADS][BLOCK_TOKENS];  // then weights
  float factors[HEADS];               // of what was added up before
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

// Of a page: keys as eight threads share them, and pairs of columns of the values.
struct PageWords {
  StoredValues keys[PAGE_KEYS];
  StoredPair values[GROUP_KEYS];
};

DEVICE void load_keys(const Stored* keys, PageWords& page) {
  const Stored* from = keys + threadIdx.x / 8 * PADDED_DIM + threadIdx.x % 8 * LANE_VALUES;
#pragma unroll
  for (int i = 0; i < PAGE_KEYS; ++i) page.keys[i] = load_stored(from + i * LANES_KEYS * PADDED_DIM);
}
DEVICE void load_values(const Stored* values, PageWords& page) {
  if (threadIdx.x >= VALUE_GROUPS * PAIRS) return;
  const StoredPair* from = (const StoredPair*)values + threadIdx.x / PAIRS * GROUP_KEYS * PAIRS + threadIdx.x % PAIRS;
#pragma unroll
  for (int i = 0; i < GROUP_KEYS; ++i) page.values[i] = from[i * PAIRS];
}

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

// The scores of a page's keys; those of tokens before `begin` and after `position` count nothing.
DEVICE void score_page(const AttendArgs& a, Shared& shared, const PageWords& words, int page, int begin, int position) {
  const int share = threadIdx.x % 8;  // of the head's values
#pragma unroll
  for (int i = 0; i < PAGE_KEYS; ++i) {
    const int at = i * LANES_KEYS + threadIdx.x / 8;
    const int key = page * BLOCK_TOKENS + at;
    float k[LANE_VALUES];
    to_floats(key == position ? load_stored((const Stored*)shared.own_key + share * LANE_VALUES) : words.keys[i], k);
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
      float score = 0;
#pragma unroll
      for (int j = 0; j < LANE_VALUES; j += 4) {
        const float4 q = *(const float4*)&shared.queries[h][share * LANE_VALUES + j];
        score += (q.x * k[j] + q.y * k[j + 1]) + (q.z * k[j + 2] + q.w * k[j + 3]);
      }
#pragma unroll
      for (int j = 4; j > 0; j /= 2) score += __shfl_xor_sync(0xffffffffu, score, j);
      if (a.soft_cap > 0) score = a.soft_cap * tanhf(score / a.soft_cap);
      if (share == 0) shared.scores[h][at] = key >= begin && key <= position ? score : -INFINITY;
    }
  }
}

// Makes a page's scores into weights relative to the largest score so far; a warp for each head.
DEVICE void weigh_page(Shared& shared) {
  const int h = threadIdx.x / 32;
  if (h >= HEADS) return;
  const int lane = threadIdx.x % 32;
  float scores[BLOCK_TOKENS / 32];
  float most = shared.softmax[h].most;
#pragma unroll
  for (int i = 0; i < BLOCK_TOKENS / 32; ++i) {
    scores[i] = shared.scores[h][i * 32 + lane];
    most = fmaxf(most, scores[i]);
  }
  most = warp_max(most);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < BLOCK_TOKENS / 32; ++i) {
    const float weight = expf(scores[i] - most);
    shared.scores[h][i * 32 + lane] = weight;
    sum += weight;
  }
  sum = warp_sum(sum);
  if (lane == 0) {
    const Softmax before = shared.softmax[h];
    const float factor = before.most == -INFINITY ? 0.0f : expf(before.most - most);
    shared.factors[h] = factor;
    shared.softmax[h] = {most, before.sum * factor + sum};
  }
}

DEVICE void add_values(const Shared& shared, const PageWords& words, int page, int position, float2 (&sums)[HEADS]) {
  if (threadIdx.x >= VALUE_GROUPS * PAIRS) return;
  const int first = threadIdx.x / PAIRS * GROUP_KEYS;
#pragma unroll
  for (int h = 0; h < HEADS; ++h) {
    sums[h].x *= shared.factors[h];
    sums[h].y *= shared.factors[h];
  }
#pragma unroll
  for (int i = 0; i < GROUP_KEYS; ++i) {
    const int key = page * BLOCK_TOKENS + first + i;
    // What lies behind the token is not its past, and may be anything.
    if (key > position) break;
    const float2 v = floats_of(key == position ? shared.own_value[threadIdx.x % PAIRS] : words.values[i]);
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
      const float weight = shared.scores[h][first + i];
      sums[h].x += weight * v.x;
      sums[h].y += weight * v.y;
    }
  }
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
  PageWords words;
  Stored* keys = keys_of(first_page);
  load_keys(keys, words);
  load_values(keys + to_values, words);
  allow_next();
  if (a.heads > 0) wait_for_last();  // a branch, which the compiler moves no loads over

  const bool stores = split == own_split;
  Stored* own = stores ? keys_of(last_page) + position % BLOCK_TOKENS * PADDED_DIM : nullptr;
  take_token(args, shared, row, kv_head, first_head, own, own + to_values);
  if (threadIdx.x < HEADS) shared.softmax[threadIdx.x] = {-INFINITY, 0};
  float2 sums[HEADS];
#pragma unroll
  for (int h = 0; h < HEADS; ++h) sums[h] = make_float2(0, 0);
#pragma unroll 1
  for (int page = first_page; page <= last_page; ++page) {
    __syncthreads();
    score_page(a, shared, words, page, begin, position);
    if (page < last_page) {
      keys = keys_of(page + 1);
      load_keys(keys, words);
    }
    __syncthreads();
    weigh_page(shared);
    __syncthreads();
    add_values(shared, words, page, position, sums);
    if (page < last_page) load_values(keys + to_values, words);
  }

  if (threadIdx.x < VALUE_GROUPS * PAIRS) {
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
      *(float2*)&shared.values[threadIdx.x / PAIRS][h][threadIdx.x % PAIRS * 2] = sums[h];
    }
  }
  __syncthreads();
  const int n_splits = own_split - first_split + 1;
  float* partial = a.partial + ((long long)row * a.heads + first_head) * a.splits * (HEAD_DIM + 2);
  for (int at = threadIdx.x; at < HEADS * HEAD_DIM; at += THREADS) {
    const int h = at / HEAD_DIM;
    const int d = at % HEAD_DIM;
    float value = 0;
#pragma unroll
    for (int g = 0; g < VALUE_GROUPS; ++g) value += shared.values[g][h][d];
    if (n_splits == 1) {
      finish(a, row, first_head + h, d, value, with_sink(a, first_head + h, shared.softmax[h]));
    } else {
      float* to = partial + ((long long)h * a.splits + split - first_split) * (HEAD_DIM + 2);
      if (d == 0) {
        to[0] = shared.softmax[h].most;
        to[1] = shared.softmax[h].sum;
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
