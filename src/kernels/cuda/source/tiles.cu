// Tiles of a packed matrix (layouts.h): BITS of a weight (4, 8, 16), GROUP columns that share a scale (32, 16; of 16-bit
// weights 0), MINIMUM whether groups have one.

#include "kernels/cuda/source/parts.cu"

#define CODE_BYTES (TILE_ROWS * TILE_COLUMNS * BITS / 8)
#define SCALE_BYTES (BITS == 16 ? 0 : TILE_ROWS * TILE_COLUMNS / GROUP * 2 * (1 + MINIMUM))
#define TILE_BYTES (CODE_BYTES + SCALE_BYTES)
#define CODE_WORDS (BITS / 4)  // 16-byte words of a lane

DEVICE u32 word_of(const uint4& v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

// Loads of weights, which stay ahead of the wait for the kernel before.
DEVICE uint4 load_once(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}
DEVICE uint2 load_once(const uint2* from) {
  uint2 v;
  asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(from));
  return v;
}
