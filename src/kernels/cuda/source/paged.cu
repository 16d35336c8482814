// The cache's pages, and what all attention over them has in common. HEAD_DIM is the model's; PADDED_DIM the multiple of
// 64 that the cache has; GROUP query heads share a kv head, of which a block takes HEADS. KV is 16 for float16 and 32 for
// float32.
// A layer in a block is [keys, values][kv_heads][BLOCK_TOKENS][PADDED_DIM].

#define BLOCK_TOKENS 64
#define LANE_VALUES (PADDED_DIM / 8)  // eight lanes share a key

#if KV == 16
typedef u16 Stored;
#else
typedef float Stored;
#endif
#define HEAD_BYTES (BLOCK_TOKENS * PADDED_DIM * (KV / 8))

DEVICE u8* layer_of(const u8* step, int sequence, int position, long long layer_at) {
  const StepHeader* h = header(step);
  const u64* table = (const u64*)(step + h->blocks_at);
  return (u8*)table[(long long)sequence * h->table_width + position / BLOCK_TOKENS] + layer_at;
}

// LANE_VALUES values of a key as the cache has them; they begin at a multiple of 8.
struct StoredValues {
  uint4 words[LANE_VALUES * KV / 128];
};

DEVICE StoredValues load_stored(const Stored* from) {
  StoredValues values;
#pragma unroll
  for (int i = 0; i < LANE_VALUES * KV / 128; ++i) values.words[i] = ((const uint4*)from)[i];
  return values;
}

DEVICE void to_floats(const StoredValues& stored, float (&to)[LANE_VALUES]) {
#pragma unroll
  for (int i = 0; i < LANE_VALUES * KV / 128; ++i) {
    const uint4 v = stored.words[i];
#if KV == 16
    to[8 * i] = low_half(v.x);
    to[8 * i + 1] = high_half(v.x);
    to[8 * i + 2] = low_half(v.y);
    to[8 * i + 3] = high_half(v.y);
    to[8 * i + 4] = low_half(v.z);
    to[8 * i + 5] = high_half(v.z);
    to[8 * i + 6] = low_half(v.w);
    to[8 * i + 7] = high_half(v.w);
#else
    to[4 * i] = __uint_as_float(v.x);
    to[4 * i + 1] = __uint_as_float(v.y);
    to[4 * i + 2] = __uint_as_float(v.z);
    to[4 * i + 3] = __uint_as_float(v.w);
#endif
  }
}

struct Softmax {
  float most;
  float sum;
};

// Attention of a key with `score`.
DEVICE void attend_key(float score, const float (&value)[LANE_VALUES], Softmax& softmax, float (&sums)[LANE_VALUES]) {
  const float most = fmaxf(softmax.most, score);
  const float old = expf(softmax.most - most);
  const float weight = expf(score - most);
  softmax = {most, softmax.sum * old + weight};
#pragma unroll
  for (int i = 0; i < LANE_VALUES; ++i) sums[i] = sums[i] * old + weight * value[i];
}

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
