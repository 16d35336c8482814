#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace emelex {

__extension__ using Uint128 = unsigned __int128;

// Hashing for the tables of this folder: both halves of a 128-bit product, folded. The seed differs from run to run, so
// a file can't be made to fill one slot.
inline uint64_t fold_multiply(uint64_t a, uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64U);
}

uint64_t hash_seed();

inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15U;
  uint64_t hash = seed ^ (bytes.size() * kOdd);
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t eight;
    std::memcpy(&eight, at, 8);
    hash = fold_multiply(hash ^ eight, kOdd ^ seed);
  }
  uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, at, left);
  return fold_multiply(hash ^ tail, kOdd ^ seed);
}

inline uint64_t hash_integer(uint64_t value, uint64_t seed) { return fold_multiply(value ^ seed, 0x9E3779B97F4A7C15U); }

}  // namespace emelex
