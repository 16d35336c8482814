#pragma once

namespace emelex {

// Tokens in a block of the KV cache.
inline constexpr int kBlockTokens = 64;

// How the KV cache stores numbers. q8_0: for every 32 values of a head a float16 scale and 8-bit integers, on
// emelex's own kernels alone.
enum class KvDtype { f16, f32, q8_0 };
inline constexpr int kKvDtypes = 3;
inline constexpr int kKvScaleValues = 32;  // values of a head that share a scale of q8_0

}  // namespace emelex
