#pragma once

#include <cstddef>
#include <cstdint>

// The tiles of Intel's AMX, for tiled_products.h. In assembler with memory operands: g++ 12's intrinsics do not say
// what they read and write. The operating system must have permitted them to the process (cpu_features.h). Format of a
// configuration: Intel's manual of the instruction LDTILECFG.

namespace emelex::cpu {
namespace {

struct AmxTiles {
  struct alignas(64) Configuration {
    uint8_t palette;
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  };
  static_assert(sizeof(Configuration) == 64);
  static constexpr Configuration kConfiguration = {1, 0, {}, {64, 32, 64}, {16, 16, 8}};  // products, tokens, weights

  // Of this thread, until release().
  [[gnu::always_inline]] static void configure() { asm volatile("ldtilecfg %0" : : "m"(kConfiguration)); }
  // While tiles hold something, a switch to another thread saves 8 KB more.
  [[gnu::always_inline]] static void release() { asm volatile("tilerelease"); }

  template <bool kSigned>
  [[gnu::always_inline]] static void multiply(const int8_t* tokens, const std::byte* weights, int32_t* products) {
    using Tokens = const int8_t(*)[512];
    using Weights = const std::byte(*)[512];
    using Out = int32_t(*)[256];
    if constexpr (kSigned) {
      asm volatile(
          "tilezero %%tmm0\n\ttileloadd (%1,%3,1), %%tmm1\n\ttileloadd (%2,%4,1), %%tmm2\n\t"
          "tdpbssd %%tmm2, %%tmm1, %%tmm0\n\ttilestored %%tmm0, (%5,%4,1)"
          : "=m"(*reinterpret_cast<Out>(products))
          : "r"(tokens), "r"(weights), "r"(32L), "r"(64L), "r"(products), "m"(*reinterpret_cast<Tokens>(tokens)),
            "m"(*reinterpret_cast<Weights>(weights)));
    } else {
      asm volatile(
          "tilezero %%tmm0\n\ttileloadd (%1,%3,1), %%tmm1\n\ttileloadd (%2,%4,1), %%tmm2\n\t"
          "tdpbsud %%tmm2, %%tmm1, %%tmm0\n\ttilestored %%tmm0, (%5,%4,1)"
          : "=m"(*reinterpret_cast<Out>(products))
          : "r"(tokens), "r"(weights), "r"(32L), "r"(64L), "r"(products), "m"(*reinterpret_cast<Tokens>(tokens)),
            "m"(*reinterpret_cast<Weights>(weights)));
    }
  }
};

}  // namespace
}  // namespace emelex::cpu
