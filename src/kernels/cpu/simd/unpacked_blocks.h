#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/unroll.h"

// Blocks of weights in the form that the int8 products (matmul_int8.h) multiply: in registers, or unpacked in scratch.
// An unpacked block depends on its format only by four properties, so all formats share a few kernels.

namespace emelex::cpu {

// Groups of rows that an int8 kernel has unpacked for its tiles, of which lanes [from, to) are wanted.
struct UnpackedRows {
  std::byte* memory;  // [groups] of group_bytes each
  size_t group_bytes;
  int groups;  // 1, or the most that the set unpacks at once
  int row;     // the first
  int from, to;
  int offset;  // of the format's weights
  bool pairs_share_scales;
  // For two tokens and one group: unpacks its next blocks, [begin, end), to where `memory` begins, and is called when
  // `begin` is reached. All at once they would leave the first cache before they are multiplied.
  void (*unpack_next)(void* source, size_t begin, size_t end, std::byte* memory) = nullptr;
  void* source = nullptr;
};
constexpr size_t kBlocksAtOnce = 16;  // that are unpacked so
using UnpackedFn = void (*)(const MatmulArgs& args, const UnpackedRows& rows);
constexpr int kUnpackedKernels = 16;

// What products of tiles (tiled_products.h) need of a format with one scale a block. Weights are unpacked less their
// offset.
struct TileFormat {
  size_t source_bytes;  // of the state in which a group of rows is read
  void (*begin)(const MatmulArgs& args, int row, std::byte* state);
  // Unpacks the following blocks of a group, [begin, end); `begin` is a multiple of 8.
  void (*unpack)(std::byte* state, size_t begin, size_t end, std::byte* memory);
  bool has_min;
  bool signed_weights;
  MatmulFn matmul;  // for tokens that fill no tile
};

namespace {

// A block of a group of rows in registers.
template <class S, int kScales>
struct FileBlock : RowBlock<S, kScales> {
  using F = typename S::F;
  static constexpr bool kUnpacked = false;
  F sums;
  typename S::U w(int g) const { return this->values[g]; }
  F scale(int i) const { return this->scales[i]; }
  F min(int i) const { return this->mins[i]; }
  F sum() const { return sums; }  // of the block's 32 weights, for each row
};

// A block that was unpacked before, for many tokens: it stays in memory.
template <class S, int kScales, bool kHasMin>
struct UnpackedBlock {
  using F = typename S::F;
  using U = typename S::U;
  static constexpr bool kUnpacked = true;
  static constexpr int kFloats = kScales * (kHasMin ? 2 : 1) + 1;  // a row
  static constexpr int kRegister = 4 * S::kRows;                   // bytes
  static constexpr size_t kBytes = S::kRows * (kActivationBlock + kFloats * sizeof(float));
  static_assert(kBytes * S::kRowGroups <= kUnpackedBlockBytes * kMaxRowGroups);
  std::byte* p;
  U w(int g) const {
    if constexpr (S::kTokenPairs) {
      return S::single_column(pair(g / 2, 0), pair(g / 2, 1), g % 2);
    } else {
      return S::load_u(p + kRegister * g);
    }
  }
  // The first or the second half of the rows, 8 columns of them; for S::kTokenPairs.
  U pair(int g, int half) const { return S::load_u(p + kRegister * (2 * g + half)); }
  F sum() const { return S::load(floats(0)); }
  F scale(int i) const { return S::load(floats(1 + i)); }
  F min(int i) const { return S::load(floats(1 + kScales + i)); }
  void put(const FileBlock<S, kScales>& block) const {
    EMELEX_UNROLL
    for (int g = 0; g < 8; g += 2) {
      U first = block.values[g];
      U second = block.values[g + 1];
      if constexpr (S::kTokenPairs) S::pair_columns(block.values[g], block.values[g + 1], first, second);
      S::store_u(p + kRegister * g, first);
      S::store_u(p + kRegister * (g + 1), second);
    }
    S::store(floats(0), block.sums);
    EMELEX_UNROLL
    for (int i = 0; i < kScales; ++i) {
      S::store(floats(1 + i), block.scales[i]);
      if constexpr (kHasMin) S::store(floats(1 + kScales + i), block.mins[i]);
    }
  }

 private:
  float* floats(int i) const { return reinterpret_cast<float*>(p + 8 * kRegister) + i * S::kRows; }
};

// The unpacked blocks of a group of rows, one after another.
template <class S, int kScales, bool kHasMin, bool kHasOffset>
struct UnpackedSource {
  using Block = UnpackedBlock<S, kScales, kHasMin>;
  static constexpr size_t kTogether = 1;
  static constexpr bool kMayShareScales = kHasMin && kScales == 1;
  std::byte* memory;
  std::conditional_t<kHasOffset, int, std::integral_constant<int, 0>> offset;
  [[gnu::always_inline]] void get(size_t block, Block& out) { out.p = memory + block * Block::kBytes; }
};

// The same, unpacked by UnpackedRows::unpack_next. Asked for in order.
template <class S, int kScales, bool kHasMin, bool kHasOffset>
struct ArrivingSource : UnpackedSource<S, kScales, kHasMin, kHasOffset> {
  using typename UnpackedSource<S, kScales, kHasMin, kHasOffset>::Block;
  const UnpackedRows* rows;
  size_t n_blocks;
  [[gnu::always_inline]] void get(size_t block, Block& out) {
    const size_t at = block % kBlocksAtOnce;
    if (at == 0) {
      const size_t left = n_blocks - block;
      rows->unpack_next(rows->source, block, block + (left < kBlocksAtOnce ? left : kBlocksAtOnce), this->memory);
    }
    out.p = this->memory + at * Block::kBytes;
  }
};

// A set's kernels for unpacked blocks are numbered by what they depend on.
struct UnpackedKind {
  int scales;
  bool has_min;
  bool has_offset;
  bool small_weights;

  static constexpr UnpackedKind of(int number) {
    return {1 + (number & 1), (number & 2) != 0, (number & 4) != 0, (number & 8) != 0};
  }
  constexpr int number() const {
    return (scales - 1) + (has_min ? 2 : 0) + (has_offset ? 4 : 0) + (small_weights ? 8 : 0);
  }
  constexpr bool operator==(const UnpackedKind&) const = default;
};

// Whether a format needs it, on a set with signed weights or without: there, weights of 8 bits are kept less 128.
constexpr bool is_needed(const UnpackedKind& kind, bool signed_weights) {
  constexpr UnpackedKind kBoth[] = {
      {1, false, true, true}, {1, true, false, true}, {2, false, true, true}, {2, true, false, true}};
  constexpr UnpackedKind kSigned[] = {{1, false, false, true}, {1, true, true, true}};
  constexpr UnpackedKind kUnsigned[] = {{1, false, true, false}, {1, true, false, false}};
  for (const UnpackedKind& needed : kBoth) {
    if (kind == needed) return true;
  }
  for (const UnpackedKind& needed : signed_weights ? kSigned : kUnsigned) {
    if (kind == needed) return true;
  }
  return false;
}

}  // namespace
}  // namespace emelex::cpu
