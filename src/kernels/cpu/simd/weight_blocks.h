#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/row_readers.h"
#include "kernels/cpu/simd/unpacked_blocks.h"
#include "kernels/cpu/simd/unroll.h"

// Where the int8 products (matmul_int8.h) take weights from: blocks of 32 columns of a group of S::kRows rows, brought
// into registers from the file or from a packed matrix, or from there into scratch for many tokens.

namespace emelex::cpu {
namespace {

template <class S, class Format>
struct WeightBlocks {
  using F = typename S::F;
  using I = typename S::I;
  using U = typename S::U;

  static constexpr int kScales = Format::kScales;
  static constexpr int kGroups = 8 / kScales;  // of 4 columns that share a scale
  static constexpr int kRows = S::kRows;
  static constexpr bool kCentered = S::kSignedWeights && Format::kMost >= 128;
  // A weight in registers is this much above the format's.
  static constexpr int kOffset = (Format::kOffsetShift > 0 ? 1 << Format::kOffsetShift : 0) - (kCentered ? 128 : 0);
  static constexpr bool kMayShareScales = requires(const MatmulArgs& args) { Format::pairs_share_scales(args); };
  // Whether dot products may take the weights for signed bytes.
  static constexpr bool kSmallWeights = kCentered || Format::kMost < 128;
  using RowBlock = cpu::RowBlock<S, kScales>;
  using UnpackedBlock = cpu::UnpackedBlock<S, kScales, Format::kHasMin>;

  using FileBlock = cpu::FileBlock<S, kScales>;

  // Registers of weights that can be added as bytes.
  static constexpr int kAddable = 255 / Format::kMost >= kGroups ? kGroups
                                  : 255 / Format::kMost >= 4     ? 4
                                  : 255 / Format::kMost >= 2     ? 2
                                                                 : 1;

  [[gnu::always_inline]] static F sum_of_weights(const FileBlock& block) {
    static constexpr int8_t kOnes[4] = {1, 1, 1, 1};
    F total = S::zero();
    EMELEX_UNROLL
    for (int i = 0; i < kScales; ++i) {
      I sum = S::set_i(-kOffset * kActivationBlock / kScales);
      EMELEX_UNROLL
      for (int g = i * kGroups; g < (i + 1) * kGroups; g += kAddable) {
        U part = block.values[g];
        EMELEX_UNROLL
        for (int j = 1; j < kAddable; ++j) part = S::add_bytes(part, block.values[g + j]);
        const U ones = S::broadcast4(kOnes);
        sum = kCentered || kAddable * Format::kMost < 128 ? S::dot_small(sum, part, ones) : S::dot(sum, part, ones);
      }
      total = S::fma(S::to_float(sum), block.scales[i], total);
      if constexpr (Format::kHasMin) total = S::fma(block.mins[i], S::set(kActivationBlock / kScales), total);
    }
    return total;
  }

  // Blocks as they lie in memory, for so few tokens that each is used once. All that it calls is inlined by force: with
  // a call in the loop over blocks, registers would go through memory, and speed by half.
  template <class Reader>
  struct RowSource {
    typename Format::template Rows<S, Reader> rows;
    using Block = FileBlock;
    static constexpr size_t kTogether = Format::kTogether;
    static constexpr bool kMayShareScales = WeightBlocks::kMayShareScales;
    static constexpr std::integral_constant<int, kOffset> offset{};
    [[gnu::always_inline]] void get(size_t block, Block& out) {
      prefetch(block);
      rows.get(block, out);
      if constexpr (kCentered) {
        EMELEX_UNROLL
        for (int g = 0; g < 8; ++g) out.values[g] = S::flip_sign(out.values[g]);
      }
      out.sums = sum_of_weights(out);
    }
    // In a file, the same share of the rows that are next: they follow these in memory, but rows are read side by side,
    // which no hardware prefetcher sees through. Into the second cache: the first is too small to hold rows until they
    // are needed. A packed matrix is read straight on, and is asked for into the first cache, if at all; an even share
    // for each block, whatever the format reads at once (docs/decisions/0009-packed-matrices.md).
    [[gnu::always_inline]] void prefetch(size_t block) const {
      constexpr size_t kBytes = size_t{kRows} * Format::kBytes / (Format::kBlock / kActivationBlock);
      if constexpr (std::is_same_v<Reader, PackedReader<S>>) {
        if (!prefetches) return;
        const std::byte* next = ahead + block * packed_block_bytes;
        for (size_t i = 0; i < kBytes; i += 64) __builtin_prefetch(next + i, 0, 3);
      } else {
        const auto* next = reinterpret_cast<const std::byte*>(rows.base) + S::kFileGroups * kRows * rows.stride;
        for (size_t i = 0; i < kBytes; i += 64) __builtin_prefetch(next + block * kBytes + i, 0, 2);
        if constexpr (requires { rows.ask_for_scales(block, size_t{0}); }) {
          rows.ask_for_scales(block, size_t{S::kFileGroups * kRows});
        }
      }
    }
    // Of a packed matrix: whether it is asked for, from where when block 0 is read, and what each block has on average.
    bool prefetches = false;
    const std::byte* ahead = nullptr;
    size_t packed_block_bytes = 0;
  };
  using FileSource = RowSource<FileReader<S>>;
  using PackedSource = RowSource<PackedReader<S>>;

  // A group of rows from `row` on; with `step` 0, that row in all lanes.
  template <class Reader>
  static RowSource<Reader> source(const MatmulArgs& args, int row, size_t step) {
    using Rows = typename Format::template Rows<S, Reader>;
    if constexpr (requires { Rows::of(args, row, step); }) {
      return {Rows::of(args, row, step)};
    } else {
      const auto* base = reinterpret_cast<const uint8_t*>(args.weights);
      return {{base + static_cast<size_t>(row) * args.row_bytes, step * args.row_bytes}};
    }
  }
  static PackedSource packed_source(const MatmulArgs& args, int row) {
    PackedSource packed = source<PackedReader<S>>(args, row, 1);
    packed.rows.rows.at = args.packed + static_cast<size_t>((row + kRows - 1) / kRows) * args.packed_group_bytes;
    packed.prefetches = args.prefetch_distance != 0;
    packed.ahead = packed.rows.rows.at + args.prefetch_distance;
    packed.packed_block_bytes = args.packed_group_bytes / static_cast<size_t>(args.columns / kActivationBlock);
    return packed;
  }

  // Writes the packed form of a group of rows to `out`, and returns its size.
  static size_t pack(const MatmulArgs& args, int row, std::byte* out) {
    auto packer = source<RowPacker<S>>(args, row, 1);
    packer.rows.rows.at = out;
    const auto n_blocks = static_cast<size_t>(args.columns / kActivationBlock);
    for (size_t b = 0; b < n_blocks; ++b) {
      RowBlock block;
      packer.rows.get(b, block);
    }
    return static_cast<size_t>(packer.rows.rows.at - out);
  }

  // Unpacks blocks [begin, end), of which `source` is at the first; `begin` is a multiple of kTogether. For products of
  // tiles, weights are less their offset.
  template <class Source>
  static void unpack(Source& source, size_t begin, size_t end, [[maybe_unused]] bool for_tiles, std::byte* memory) {
    static constexpr bool kMayLessen = S::kTiles && kOffset != 0;
    [[maybe_unused]] U less;
    if constexpr (kMayLessen) {
      const uint8_t byte = for_tiles ? static_cast<uint8_t>(-kOffset) : uint8_t{0};
      const uint8_t bytes[4] = {byte, byte, byte, byte};
      less = S::broadcast4(bytes);
    }
    Source from = source;  // in registers
    for (size_t i = 0; i < (end - begin) / Format::kTogether; ++i) {
      EMELEX_UNROLL
      for (size_t j = 0; j < Format::kTogether; ++j) {
        const size_t b = i * Format::kTogether + j;
        FileBlock block;
        from.get(begin + b, block);
        if constexpr (kMayLessen) {
          EMELEX_UNROLL
          for (U& values : block.values) values = S::add_bytes(values, less);
        }
        UnpackedBlock{memory + b * UnpackedBlock::kBytes}.put(block);
      }
    }
    source = from;
  }
};

}  // namespace
}  // namespace emelex::cpu
