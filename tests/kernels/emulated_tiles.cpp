#include "kernels/emulated_tiles.h"

#define EMELEX_NO_UNROLL  // scalar vectors are not registers
#include "kernels/cpu/simd/scalar.h"
#include "kernels/cpu/simd/tiled_products.h"

namespace emelex::test {
namespace {

// What TDPBSSD and TDPBSUD compute of a tile of 16 rows of 32 signed bytes and one of 8 rows of 16 times 4 bytes, as
// Intel's manual has it: row m, column n is the sum over k of the four products of bytes 4k … 4k + 3 of the first's row
// m with those of word n of the second's row k, modulo 2³².
struct EmulatedTiles {
  static void configure() {}
  static void release() {}

  template <bool kSigned>
  static void multiply(const int8_t* a, const std::byte* b, int32_t* c) {
    for (size_t m = 0; m < 16; ++m) {
      for (size_t n = 0; n < 16; ++n) {
        uint32_t sum = 0;
        for (size_t k = 0; k < 8; ++k) {
          for (size_t i = 0; i < 4; ++i) {
            const auto byte = std::to_integer<uint8_t>(b[64 * k + 4 * n + i]);
            const int32_t weight = kSigned ? static_cast<int8_t>(byte) : static_cast<int32_t>(byte);
            sum += static_cast<uint32_t>(a[32 * m + 4 * k + i] * weight);
          }
        }
        c[16 * m + n] = static_cast<int32_t>(sum);
      }
    }
  }
};

}  // namespace

cpu::TiledFn emulated_tiles() { return cpu::TiledProducts<cpu::Scalar, EmulatedTiles>::run; }

}  // namespace emelex::test
