#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/half.h"

// The 16-lane vectors in plain C++: what every other instruction set must equal, bit for bit. Also the list of what an
// instruction set provides. In an anonymous namespace, so that code compiled with one file's flags stays in that file.

namespace emelex::cpu {
namespace {

struct Scalar {
  static constexpr const char* kName = "scalar";
  using RowVectors = Scalar;                     // what the int8 kernel takes, where its vectors are others
  static constexpr int kRows = 16;               // lanes of those
  static constexpr int kTokens = 2;              // tokens of a tile of the int8 kernel
  static constexpr int kRowGroups = 1;           // groups of kRows rows of a tile, at most kMaxRowGroups · 16 rows
  static constexpr int kFileGroups = 1;          // the same where blocks come straight from the file
  static constexpr int kStreams = 1;             // groups of a packed matrix read side by side for one token
  static constexpr bool kTiles = false;          // whether products of tiles (tiled_products.h) may take over
  static constexpr bool kSignedWeights = false;  // whether dot products want signed weights
  static constexpr bool kTokenPairs = false;     // whether there are products of two rows with two tokens
  static constexpr bool kTwoDotChains = false;   // whether dot products of one token wait for each other, otherwise
  static constexpr bool kAlwaysUnpacks = true;   // whether blocks are unpacked for few tokens, too: less code
  static constexpr int kPlainGroups = 1;         // groups of kRows rows and
  static constexpr int kPlainTokens = 2;         // tokens of a tile of the kernel of plain numbers
  static constexpr int kFloatRows = 2;           // rows and
  static constexpr int kFloatTokens = 2;         // tokens that the kernel of widened rows keeps in registers
  static constexpr int kKvVectors = 4;           // vectors of 4 rows that attention keeps in registers

  struct F {
    float v[16];
  };  // 16 floats
  struct I {
    int32_t v[16];
  };  // 16 integers
  struct U {
    uint8_t v[64];
  };  // 16 lanes of 4 bytes, signed or unsigned as the operation says

  static F set(float x) {
    F r;
    for (float& v : r.v) v = x;
    return r;
  }
  static F zero() { return set(0.0F); }
  static F load(const float* p) {
    F r;
    std::memcpy(r.v, p, sizeof(r.v));
    return r;
  }
  static void store(float* p, const F& a) { std::memcpy(p, a.v, sizeof(a.v)); }
  static F load(const uint16_t* p) {  // float16
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = half_to_float(p[i]);
    return r;
  }
  static void store(uint16_t* p, const F& a) {  // float16, rounded to nearest even
    for (int i = 0; i < 16; ++i) p[i] = float_to_half(a.v[i]);
  }
  static F load_bf16(const uint16_t* p) {
    F r;
    for (int i = 0; i < 16; ++i) {
      const uint32_t bits = uint32_t{p[i]} << 16;
      std::memcpy(&r.v[i], &bits, 4);
    }
    return r;
  }
  static F load_i8(const void* p) {  // 16 signed bytes
    F r;
    int8_t b[16];
    std::memcpy(b, p, 16);
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<float>(b[i]);
    return r;
  }
  static F load_nibbles_low(const void* p) {  // the low halves of 16 bytes
    F r;
    uint8_t b[16];
    std::memcpy(b, p, 16);
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<float>(b[i] & 15);
    return r;
  }
  static F load_nibbles_high(const void* p) {
    F r;
    uint8_t b[16];
    std::memcpy(b, p, 16);
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<float>(b[i] >> 4);
    return r;
  }

  template <class Op>
  static F map(const F& a, const F& b, Op op) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = op(a.v[i], b.v[i]);
    return r;
  }
  static F add(const F& a, const F& b) {
    return map(a, b, [](float x, float y) { return x + y; });
  }
  static F sub(const F& a, const F& b) {
    return map(a, b, [](float x, float y) { return x - y; });
  }
  static F mul(const F& a, const F& b) {
    return map(a, b, [](float x, float y) { return x * y; });
  }
  static F div(const F& a, const F& b) {
    return map(a, b, [](float x, float y) { return x / y; });
  }
  // As the x86 instructions: the second operand where either is NaN.
  static F max(const F& a, const F& b) {
    return map(a, b, [](float x, float y) { return x > y ? x : y; });
  }
  static F min(const F& a, const F& b) {
    return map(a, b, [](float x, float y) { return x < y ? x : y; });
  }
  static F fma(const F& a, const F& b, const F& c) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = __builtin_fmaf(a.v[i], b.v[i], c.v[i]);
    return r;
  }
  static F abs(const F& a) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = __builtin_fabsf(a.v[i]);
    return r;
  }
  // value where x >= limit, else 0
  static F zero_below(const F& value, const F& x, float limit) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = x.v[i] >= limit ? value.v[i] : 0.0F;
    return r;
  }
  static F round(const F& a) {  // to the nearest integer, ties to even
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = __builtin_rintf(a.v[i]);
    return r;
  }
  static F pow2(const F& n) {  // 2ⁿ for integers -126 … 127
    F r;
    for (int i = 0; i < 16; ++i) {
      const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(n.v[i]) + 127) << 23;
      std::memcpy(&r.v[i], &bits, 4);
    }
    return r;
  }
  // ((l0+l8) + (l4+l12)) + …: halves are added to halves
  static float reduce_add(const F& a) {
    F r = a;
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) r.v[i] += r.v[i + width];
    }
    return r.v[0];
  }
  static float reduce_max(const F& a) {
    float m = a.v[0];
    for (float v : a.v) m = v > m ? v : m;
    return m;
  }

  static float first(const F& a) { return a.v[0]; }

  static I set_i(int32_t x) {
    I r;
    for (int32_t& v : r.v) v = x;
    return r;
  }
  static I times_256(const I& a) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] * 256;
    return r;
  }
  // a - 2^kShift · x
  template <int kShift>
  static I sub_shifted(const I& a, int32_t x) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] - x * (1 << kShift);
    return r;
  }
  // a - factor · x in all lanes; factor is a power of two, or less one where dot products want signed weights.
  static I sub_scaled(const I& a, int32_t x, int factor) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] - factor * x;
    return r;
  }
  static F to_float(const I& a) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<float>(a.v[i]);
    return r;
  }
  static void store_i8(int8_t* p, const F& a) {  // 16 integers -128 … 127
    for (int i = 0; i < 16; ++i) p[i] = static_cast<int8_t>(a.v[i]);
  }

  static U load_u(const void* p) {
    U r;
    std::memcpy(r.v, p, 64);
    return r;
  }
  static void store_u(void* p, const U& a) { std::memcpy(p, a.v, 64); }
  // Keeps the compiler from reading from `at` before it has read `loaded`.
  static void read_after(const F& /*loaded*/, const std::byte*& /*at*/) {}
  static void read_after(const U& /*loaded*/, const std::byte*& /*at*/) {}
  static U broadcast4(const void* p) {  // the same 4 bytes in each lane
    U r;
    for (int i = 0; i < 16; ++i) std::memcpy(r.v + 4 * i, p, 4);
    return r;
  }
  // Activations 4g … 4g+3 of a token, for all rows; X is what a dot product takes them as.
  using X = U;
  static X activations(const int8_t* p, int g) { return broadcast4(p + 4 * g); }
  static U low_nibbles(const U& a) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = a.v[i] & 15;
    return r;
  }
  static U high_nibbles(const U& a) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = a.v[i] >> 4;
    return r;
  }
  static U flip_sign(const U& a) {  // int8 x → uint8 x + 128
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = a.v[i] ^ 0x80;
    return r;
  }
  static U add_bytes(const U& a, const U& b) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = static_cast<uint8_t>(a.v[i] + b.v[i]);
    return r;
  }
  static U or_(const U& a, const U& b) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = a.v[i] | b.v[i];
    return r;
  }
  // (byte >> shift) & mask, with a mask of fewer than 8 - shift bits or just as many
  static U field(const U& a, int shift, uint8_t mask) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = static_cast<uint8_t>((a.v[i] >> shift) & mask);
    return r;
  }
  // low | ((byte >> shift) & mask); a shift below 0 is one to the left. No bit of the mask lies where bits of another
  // byte would come to if bytes were shifted together.
  static U or_field(const U& low, const U& a, int shift, uint8_t mask) {
    U r;
    for (int i = 0; i < 64; ++i) {
      const int moved = shift < 0 ? a.v[i] << -shift : a.v[i] >> shift;
      r.v[i] = static_cast<uint8_t>(low.v[i] | (moved & mask));
    }
    return r;
  }
  // byte << shift, for bytes that stay below 256
  static U shift_up(const U& a, int shift) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = static_cast<uint8_t>(a.v[i] << shift);
    return r;
  }
  static U lookup(const uint8_t table[16], const U& index) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = table[index.v[i]];
    return r;
  }
  // The lanes' bytes as words of 32 bits, and what is in them.
  static I words(const U& a) {
    I r;
    std::memcpy(r.v, a.v, 64);
    return r;
  }
  // kRows bytes, a word each: 0 … 255, and -128 … 127
  static I load_bytes(const void* p) {
    I r;
    const auto* bytes = static_cast<const uint8_t*>(p);
    for (int i = 0; i < 16; ++i) r.v[i] = bytes[i];
    return r;
  }
  static I load_signed_bytes(const void* p) {
    I r;
    const auto* bytes = static_cast<const int8_t*>(p);
    for (int i = 0; i < 16; ++i) r.v[i] = bytes[i];
    return r;
  }
  static I bits(const I& a, int shift, int32_t mask) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) >> shift) & mask;
    return r;
  }
  static I shift_words(const I& a, int shift) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << shift);
    return r;
  }
  static I or_words(const I& a, const I& b) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] | b.v[i];
    return r;
  }
  static I signed_byte(const I& a, int byte) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<int8_t>(static_cast<uint32_t>(a.v[i]) >> (8 * byte));
    return r;
  }
  // bits shift … shift + 3 of each word as four bytes of 0 or 1
  static U spread_bits(const I& a, int shift) {
    U r;
    for (int i = 0; i < 64; ++i) r.v[i] = (static_cast<uint32_t>(a.v[i / 4]) >> (shift + i % 4)) & 1;
    return r;
  }
  // The four lowest fields of kBits bits of each word as four bytes, for fewer than 8 bits.
  template <int kBits>
  static U spread(const I& a) {
    U r;
    for (int i = 0; i < 64; ++i) {
      r.v[i] = (static_cast<uint32_t>(a.v[i / 4]) >> (i % 4 * kBits)) & ((1U << kBits) - 1U);
    }
    return r;
  }
  // The halves of each lane's bytes, low before high: those of the first two bytes, and of the last two.
  static void spread_nibbles(const U& a, U& first, U& second) {
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 4; ++j) {
        first.v[4 * i + j] = (a.v[4 * i + j / 2] >> (j % 2 * 4)) & 15;
        second.v[4 * i + j] = (a.v[4 * i + 2 + j / 2] >> (j % 2 * 4)) & 15;
      }
    }
  }
  // (low >> kShift) | (high << (32 - kShift)): the word at bit kShift of both
  template <int kShift>
  static I word_at(const I& low, const I& high) {
    I r;
    for (int i = 0; i < 16; ++i) {
      const uint64_t both = static_cast<uint32_t>(low.v[i]) | (uint64_t{static_cast<uint32_t>(high.v[i])} << 32);
      r.v[i] = static_cast<int32_t>(both >> kShift);
    }
    return r;
  }
  static F as_float(const I& a) {  // the same bits
    F r;
    std::memcpy(r.v, a.v, 64);
    return r;
  }
  // Bytes as E4M3 numbers: sign, four bits of exponent, three of fraction; NaN where all but the sign are ones.
  static float e4m3(unsigned byte) {
    // As float16, which has the same fields and one exponent bit more: 2^8 times smaller.
    const unsigned magnitude = byte & 0x7FU;
    const unsigned half = (magnitude << 7) | ((byte & 0x80U) << 8) | (magnitude == 0x7F ? 0x7E00U : 0U);
    return 256.0F * half_to_float(static_cast<uint16_t>(half));
  }
  static F e4m3(const I& a) {  // words below 256
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = e4m3(static_cast<unsigned>(a.v[i]));
    return r;
  }
  static F load_e4m3(const void* p) {  // 16 bytes
    uint8_t b[16];
    std::memcpy(b, p, 16);
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = e4m3(unsigned{b[i]});
    return r;
  }
  // the float16 in the lower and the upper half of each word
  static void halves(const I& a, F& low, F& high) {
    for (int i = 0; i < 16; ++i) {
      low.v[i] = half_to_float(static_cast<uint16_t>(a.v[i]));
      high.v[i] = half_to_float(static_cast<uint16_t>(static_cast<uint32_t>(a.v[i]) >> 16));
    }
  }
  // the lower halves of all words one after another, and the upper ones
  static void store_halves(void* low, void* high, const I& a) {
    uint16_t halves[2][16];
    for (int i = 0; i < 16; ++i) {
      halves[0][i] = static_cast<uint16_t>(a.v[i]);
      halves[1][i] = static_cast<uint16_t>(static_cast<uint32_t>(a.v[i]) >> 16);
    }
    std::memcpy(low, halves[0], 32);
    std::memcpy(high, halves[1], 32);
  }
  static F low_half(const I& a) {  // the low 16 bits as float16
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = half_to_float(static_cast<uint16_t>(a.v[i]));
    return r;
  }
  // 4 bytes of each of 16 rows, where 16 bytes can be read
  static I load_words(const uint8_t* base, size_t stride) { return gather_words(base, stride); }
  // 4 bytes of each of 16 rows
  static I gather_words(const uint8_t* base, size_t stride) {
    I r;
    for (int i = 0; i < 16; ++i) std::memcpy(&r.v[i], base + static_cast<size_t>(i) * stride, 4);
    return r;
  }
  // acc + Σ of the lane's 4 products, u unsigned and s signed. dot_small is for u below 128.
  static I dot(const I& acc, const U& u, const U& s) {
    I r = acc;
    for (int i = 0; i < 64; ++i) r.v[i / 4] += static_cast<int32_t>(u.v[i]) * static_cast<int8_t>(s.v[i]);
    return r;
  }
  static I dot_small(const I& acc, const U& u, const U& s) { return dot(acc, u, s); }

  // Of kRows rows from here on. 16 bytes of each, transposed: lane r of out[i] holds bytes 4i … 4i+3 of row r
  static void load_transposed(const uint8_t* base, size_t stride, U out[4]) {
    for (int r = 0; r < 16; ++r) {
      for (int i = 0; i < 4; ++i) std::memcpy(out[i].v + 4 * r, base + static_cast<size_t>(r) * stride + 4 * i, 4);
    }
  }
  // a float16 of each of 16 rows
  static F gather_half(const uint8_t* base, size_t stride) {
    F r;
    for (int i = 0; i < 16; ++i) {
      uint16_t h;
      std::memcpy(&h, base + static_cast<size_t>(i) * stride, 2);
      r.v[i] = half_to_float(h);
    }
    return r;
  }
};

}  // namespace
}  // namespace emelex::cpu
