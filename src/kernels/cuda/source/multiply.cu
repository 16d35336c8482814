// The product of tiles with up to NT * 8 tokens by tensor cores: float16, sums in float32. RT row tiles share what is
// loaded of the tokens.

#include "kernels/cuda/source/tiles.cu"

// With few tokens scales are applied to sums of a group, with more to the weights: whichever is less work.
#define SCALED_SUMS (BITS == 4 && GROUP == 32 && NT == 1)
#define SUMS (NT == 1 && !SCALED_SUMS ? 4 : 1)

struct TileWords {
  uint4 codes[CODE_WORDS];
#if SCALE_BYTES > 0
  u32 scales[2];
#if MINIMUM
  u32 minima[2];
#endif
#endif
};

// `global`: the tile lies there, and is read once; else in shared memory.
template <bool global, class T>
DEVICE T load_as(const u8* from) {
  if constexpr (global) return load_once((const T*)from);
  return *(const T*)from;
}

// Of a lane, scales of row lane / 4 in the low word and of row lane / 4 + 8 in the high one: for the two groups of 32
// columns; of groups of 16, the two that hold the lane's columns.
template <bool global>
DEVICE void load_tile(const u8* tile, int lane, TileWords& words) {
#pragma unroll
  for (int i = 0; i < CODE_WORDS; ++i) words.codes[i] = load_as<global, uint4>(tile + 512 * i + 16 * lane);
#if SCALE_BYTES > 0
  const int place = GROUP == 32 ? lane / 4 : lane / 4 * 2 + lane % 4 / 2;
  const u8* scales = tile + CODE_BYTES + place * 8 * (1 + MINIMUM);
#if MINIMUM
  const uint4 v = load_as<global, uint4>(scales);
  words.scales[0] = v.x;
  words.scales[1] = v.y;
  words.minima[0] = v.z;
  words.minima[1] = v.w;
#else
  const uint2 v = load_as<global, uint2>(scales);
  words.scales[0] = v.x;
  words.scales[1] = v.y;
#endif
#endif
}

DEVICE u32 both_low(u32 pair) { return __byte_perm(pair, 0, 0x1010); }
DEVICE u32 both_high(u32 pair) { return __byte_perm(pair, 0, 0x3232); }

// The codes of pair i of product j as float16 integers: 8 below those stored where 4 bits have no minimum.
DEVICE u32 codes_of(const TileWords& words, int j, int i) {
#if BITS == 4
  const u32 w = word_of(words.codes[0], j) >> (i / 2 * 8);
  const u32 minus = MINIMUM ? 0xe400e400u : 0xe408e408u;          // -1024 or -1032
  const u32 minus_16th = MINIMUM ? 0xd400d400u : 0xd480d480u;     // -64 or -72
  if (i % 2 == 0) return add_pair(masked(w, 0x000f000fu, 0x64006400u), minus);
  return fma_pair(masked(w, 0x00f000f0u, 0x64006400u), 0x2c002c00u, minus_16th);  // by 1/16
#elif BITS == 8
  const u32 w = word_of(words.codes[j / 2], j % 2 * 2 + i / 2);
  return add_pair(__byte_perm(w, 0x64646464u, i % 2 == 0 ? 0x4140 : 0x4342), 0xe480e480u);  // -1152
#else
  return word_of(words.codes[j], i);
#endif
}

// The first operand of product j of 4: pairs (row g, columns 0-1), (g + 8, 0-1), (g, 2-3), (g + 8, 2-3).
DEVICE void operand(const TileWords& words, int j, u32 (&a)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const u32 codes = codes_of(words, j, i);
#if BITS == 16
    a[i] = codes;
#else
    const u32 pair = words.scales[i % 2];
    const u32 scale = j / 2 == 0 ? both_low(pair) : both_high(pair);
#if MINIMUM
    const u32 minima = words.minima[i % 2];
    a[i] = fma_pair(codes, scale, j / 2 == 0 ? both_low(minima) : both_high(minima));
#else
    a[i] = mul_pair(codes, scale);
#endif
#endif
  }
}

// What a lane needs of the tokens for a column tile: eight columns of either group of 32, of each eight tokens.
struct TokenWords {
  uint4 groups[NT][2];
};

// `x` is the lane's in the first eight tokens, of which it has bit n of `inside`.
DEVICE void load_tokens(const u16* x, int stride, u32 inside, TokenWords& words) {
#pragma unroll
  for (int n = 0; n < NT; ++n) {
#pragma unroll
    for (int group = 0; group < 2; ++group) {
      words.groups[n][group] = make_uint4(0, 0, 0, 0);
      if (inside >> n & 1) words.groups[n][group] = *(const uint4*)(x + (long long)n * 8 * stride + group * 32);
    }
  }
}

#if SCALED_SUMS

// Codes become float16 by one operation: 1024 + code of row g, and 1024 + 16 * code of row g + 8. What is too much is
// taken away from the sums of a group, by the sum of its tokens' values, which a product with ones gives.
DEVICE void multiply_tile(const TileWords (&words)[RT], const TokenWords& tokens, float (&sums)[RT][NT][SUMS][4]) {
  const u32 ones[4] = {0x3c003c00u, 0x3c003c00u, 0x3c003c00u, 0x3c003c00u};
#pragma unroll
  for (int group = 0; group < 2; ++group) {
    float codes[RT][4] = {};
    float all[4] = {};
    const uint4& b = tokens.groups[0][group];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int r = 0; r < RT; ++r) {
        const u32 w = word_of(words[r].codes[0], group * 2 + half);
        const u32 a[4] = {masked(w, 0x000f000fu, 0x64006400u), masked(w, 0x00f000f0u, 0x64006400u),
                          masked(w >> 8, 0x000f000fu, 0x64006400u), masked(w >> 8, 0x00f000f0u, 0x64006400u)};
        mma(codes[r], a, half == 0 ? b.x : b.z, half == 0 ? b.y : b.w);
      }
      mma(all, ones, half == 0 ? b.x : b.z, half == 0 ? b.y : b.w);
    }
#pragma unroll
    for (int r = 0; r < RT; ++r) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const u32 pair = words[r].scales[i / 2];
        const float scale = (group == 0 ? low_half(pair) : high_half(pair)) * (i < 2 ? 1.0f : 0.0625f);
#if MINIMUM
        const u32 minima = words[r].minima[i / 2];
        sums[r][0][0][i] += (group == 0 ? low_half(minima) : high_half(minima)) * all[i];
        const float too_much = 1024.0f;
#else
        const float too_much = i < 2 ? 1032.0f : 1152.0f;
#endif
        sums[r][0][0][i] += scale * (codes[r][i] - too_much * all[i]);
      }
    }
  }
}

#else

// Sums of either half of the columns apart, which are shorter chains.
DEVICE void multiply_tile(const TileWords (&words)[RT], const TokenWords& tokens, float (&sums)[RT][NT][SUMS][4]) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
#pragma unroll
    for (int r = 0; r < RT; ++r) {
      u32 a[4];
      operand(words[r], j, a);
#pragma unroll
      for (int n = 0; n < NT; ++n) {
        const uint4& b = tokens.groups[n][j / 2];
        mma(sums[r][n][j % SUMS], a, j % 2 == 0 ? b.x : b.z, j % 2 == 0 ? b.y : b.w);
      }
    }
  }
}

#endif
