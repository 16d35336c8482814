// Packs a matrix of one of GGUF's types into tiles.

#include "kernels/cuda/source/tiles.cu"

struct Group {
  float scale;
  float minimum;
};

DEVICE float half_at(const u8* p) { return from_half((u16)(p[0] | (p[1] << 8))); }
DEVICE int bits_at(const u8* p, int shift, int bits) { return (*p >> shift) & ((1 << bits) - 1); }
DEVICE int nibble(const u8* p, int i) { return i < 16 ? p[i] & 15 : p[i - 16] >> 4; }  // of 32 values
DEVICE int fifth_bit(const u8* p, int i) { return bits_at(p + i / 8, i % 8, 1); }
DEVICE int two_bits(const u8* p, int i) { return bits_at(p + i / 128 * 32 + i % 32, i / 32 % 4 * 2, 2); }
DEVICE int four_bits(const u8* p, int i) { return bits_at(p + i / 64 * 32 + i % 32, i / 32 % 2 * 4, 4); }
DEVICE int one_bit(const u8* p, int i) { return bits_at(p + i % 32, i / 32, 1); }

// The integer that a weight is stored as, signed where the type has no minimum.
DEVICE int code_of(int type, const u8* row, int column) {
  const int i = column % 32;
  const int k = column % 256;
  switch (type) {
    case PACK_Q4_0:
      return nibble(row + column / 32 * 18 + 2, i) - 8;
    case PACK_Q4_1:
      return nibble(row + column / 32 * 20 + 4, i);
    case PACK_Q5_0: {
      const u8* block = row + column / 32 * 22;
      return nibble(block + 6, i) + 16 * fifth_bit(block + 2, i) - 16;
    }
    case PACK_Q5_1: {
      const u8* block = row + column / 32 * 24;
      return nibble(block + 8, i) + 16 * fifth_bit(block + 4, i);
    }
    case PACK_Q8_0:
      return (signed char)row[column / 32 * 34 + 2 + i];
    case PACK_Q2_K:
      return two_bits(row + column / 256 * 84 + 16, k);
    case PACK_Q3_K: {
      const u8* block = row + column / 256 * 110;
      return two_bits(block + 32, k) + 4 * one_bit(block, k) - 4;
    }
    case PACK_Q4_K:
      return four_bits(row + column / 256 * 144 + 16, k);
    case PACK_Q5_K: {
      const u8* block = row + column / 256 * 176;
      return four_bits(block + 48, k) + 16 * one_bit(block + 16, k);
    }
    case PACK_Q6_K: {
      const u8* block = row + column / 256 * 210;
      const int low = bits_at(block + k / 128 * 64 + k % 64, k / 64 % 2 * 4, 4);
      return low + 16 * two_bits(block + 128, k) - 32;
    }
  }
  return 0;
}

// Group j of the 8 in the 12 bytes of 6-bit scales and minima that Q4_K and Q5_K have.
DEVICE Group six_bit_group(const u8* block, int j) {
  const u8* p = block + 4;
  int scale = p[j] & 63;
  int minimum = p[4 + j] & 63;
  if (j >= 4) {
    scale = (p[4 + j] & 15) | (p[j - 4] >> 6 << 4);
    minimum = (p[4 + j] >> 4) | (p[j] >> 6 << 4);
  }
  return {half_at(block) * scale, -half_at(block + 2) * minimum};
}

DEVICE int q3_scale(const u8* packed, int j) {
  return (bits_at(packed + j % 8, j / 8 * 4, 4) | (bits_at(packed + 8 + j % 4, j / 4 * 2, 2) << 4)) - 32;
}

DEVICE Group group_of(int type, const u8* row, int column) {
  const int j = column % 256 / 16;  // of 16 groups in a block of 256
  switch (type) {
    case PACK_Q4_0:
      return {half_at(row + column / 32 * 18), 0};
    case PACK_Q4_1: {
      const u8* block = row + column / 32 * 20;
      return {half_at(block), half_at(block + 2)};
    }
    case PACK_Q5_0:
      return {half_at(row + column / 32 * 22), 0};
    case PACK_Q5_1: {
      const u8* block = row + column / 32 * 24;
      return {half_at(block), half_at(block + 2)};
    }
    case PACK_Q8_0:
      return {half_at(row + column / 32 * 34), 0};
    case PACK_Q2_K: {
      const u8* block = row + column / 256 * 84;
      return {half_at(block + 80) * (block[j] & 15), -half_at(block + 82) * (block[j] >> 4)};
    }
    case PACK_Q3_K: {
      const u8* block = row + column / 256 * 110;
      return {half_at(block + 108) * q3_scale(block + 96, j), 0};
    }
    case PACK_Q4_K:
      return six_bit_group(row + column / 256 * 144, j / 2);
    case PACK_Q5_K:
      return six_bit_group(row + column / 256 * 176, j / 2);
    case PACK_Q6_K: {
      const u8* block = row + column / 256 * 210;
      return {half_at(block + 208) * (signed char)block[192 + j], 0};
    }
  }
  return {0, 0};
}

DEVICE float plain_at(int type, const u8* row, int column) {
  if (type == PACK_F32) return ((const float*)row)[column];
  const u16 bits = ((const u16*)row)[column];
  if (type == PACK_F16) return from_half(bits);
  return __uint_as_float((u32)bits << 16);
}

// One thread for each lane of each tile.
KERNEL(256) pack(const __grid_constant__ PackArgs args) {
  begin_kernel();
  const int lane = threadIdx.x % 32;
  const long long index = (long long)blockIdx.x * 8 + threadIdx.x / 32;
  const int row_tiles = (args.rows + TILE_ROWS - 1) / TILE_ROWS;
  if (index >= (long long)row_tiles * args.column_tiles) return;
  const int row_tile = (int)(index / args.column_tiles);
  const int column_tile = (int)(index % args.column_tiles);
  u8* tile = args.tiles + ((long long)(args.first_tile + row_tile) * args.column_tiles + column_tile) * TILE_BYTES;
  bool finite = true;
  u32 words[BITS] = {};  // 4-byte words of the lane: [product j][...]
#pragma unroll 1
  for (int j = 0; j < 4; ++j) {
#pragma unroll 1
    for (int i = 0; i < 4; ++i) {
      for (int e = 0; e < 2; ++e) {
        const int row = row_tile * TILE_ROWS + lane / 4 + i % 2 * 8;
        const int column = column_tile * TILE_COLUMNS + j / 2 * 32 + lane % 4 * 8 + j % 2 * 4 + i / 2 * 2 + e;
        const bool inside = row < args.rows && column < args.columns;
        const u8* from = args.source + (long long)row * args.row_bytes;
#if BITS == 16
        const float value = inside ? plain_at(args.type, from, column) : 0.0f;
        finite = finite && fabsf(value) <= 65504.0f;
        words[j * 4 + i] |= (u32)to_half(value) << (16 * e);
#else
        const int code = inside ? code_of(args.type, from, column) : 0;
#if BITS == 4
        words[j] |= (u32)(MINIMUM ? code : code + 8) << (4 * i + 16 * e);
#else
        words[j * 2 + i / 2] |= (u32)(code + 128) << (i % 2 * 16 + e * 8);
#endif
#endif
      }
    }
  }
  for (int i = 0; i < BITS / 4; ++i) {
    *((uint4*)(tile + 512 * i) + lane) =
        make_uint4(words[i * 4], words[i * 4 + 1], words[i * 4 + 2], words[i * 4 + 3]);
  }
#if BITS != 16
  // The lanes whose columns begin a group of the lane's place write its scales: rows g, g + 8; groups of both halves.
  if (lane % 4 % (GROUP / 8) == 0) {
    u16* to = (u16*)(tile + CODE_BYTES) + (GROUP == 32 ? lane / 4 : lane / 4 * 2 + lane % 4 / 2) * 4 * (1 + MINIMUM);
    for (int r = 0; r < 2; ++r) {
      for (int half = 0; half < 2; ++half) {
        const int row = row_tile * TILE_ROWS + lane / 4 + r * 8;
        const int column = column_tile * TILE_COLUMNS + half * 32 + lane % 4 * 8;
        Group group = {0, 0};
        if (row < args.rows && column < args.columns) {
          group = group_of(args.type, args.source + (long long)row * args.row_bytes, column);
        }
        const float most = fabsf(group.scale) * (BITS == 4 ? 15 : 128) + fabsf(group.minimum);
        finite = finite && most <= 65504.0f;
        to[r * 2 + half] = to_half(group.scale);
        if (MINIMUM) to[4 + r * 2 + half] = to_half(group.minimum);
      }
    }
  }
#endif
  if (!finite) *args.overflow = 1;
}
