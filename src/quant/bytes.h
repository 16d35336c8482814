#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/half.h"

// Little-endian numbers and packed bits at any address, for the block formats.
namespace emelex {

inline uint8_t byte_at(const std::byte* from) { return std::to_integer<uint8_t>(*from); }

inline uint16_t uint16_at(const std::byte* from) {
  return static_cast<uint16_t>(byte_at(from) | (byte_at(from + 1) << 8));
}

inline uint32_t uint32_at(const std::byte* from) {
  return uint16_at(from) | (static_cast<uint32_t>(uint16_at(from + 2)) << 16);
}

inline float half_at(const std::byte* from) { return half_to_float(uint16_at(from)); }

inline void put_byte(std::byte* to, int value) { *to = static_cast<std::byte>(value & 0xFF); }

inline void put_uint16(std::byte* to, uint16_t value) {
  put_byte(to, value);
  put_byte(to + 1, value >> 8);
}

inline void put_uint32(std::byte* to, uint32_t value) {
  put_uint16(to, static_cast<uint16_t>(value));
  put_uint16(to + 2, static_cast<uint16_t>(value >> 16));
}

inline void put_half(std::byte* to, float value) { put_uint16(to, float_to_half(value)); }

// The `bits` bits of a byte from bit `shift` up, and adding them to a byte whose bits there are zero.
inline int bits_at(const std::byte* from, int shift, int bits) { return (byte_at(from) >> shift) & ((1 << bits) - 1); }
inline void add_bits(std::byte* to, int shift, int value) { *to |= static_cast<std::byte>((value << shift) & 0xFF); }

}  // namespace emelex
