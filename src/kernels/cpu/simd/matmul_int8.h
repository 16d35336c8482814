#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"

// Matrix product of quantized weights with int8 activations.
//
// The unit of work is 16 rows. A block of 32 columns of them is brought into the form [8][16 rows][4 columns], so that
// a lane is a row and one dot-product instruction takes 4 columns of 16 rows. For each row, block and token the sum of
// the 32 products is an exact integer; it is scaled and added to a float accumulator, block after block. That order is
// the same for one token and for many, which is what makes a token's result independent of its company.

namespace emelex::cpu {
namespace {

template <class S, class Format>
struct Int8Matmul {
  using F = typename S::F;
  using I = typename S::I;
  using U = typename S::U;

  struct Block {
    U w[8];
    F scale;
    F min;
  };

  // Blocks straight from the file's layout: for so few tokens that each is used once or twice.
  struct FileSource {
    const uint8_t* base;
    size_t stride;
    void get(int block, Block& out) const {
      Format::template load_rows<S>(base + static_cast<size_t>(block) * Format::kBytes, stride, out.w, out.scale,
                                    out.min);
    }
  };

  // Blocks that were unpacked before, for many tokens.
  struct UnpackedSource {
    const std::byte* memory;
    static constexpr size_t kBlockBytes = 512 + 2 * kLanes * sizeof(float);
    void get(int block, Block& out) const {
      const std::byte* p = memory + static_cast<size_t>(block) * kBlockBytes;
      EMELEX_UNROLL
      for (int g = 0; g < 8; ++g) out.w[g] = S::load_u(p + 64 * g);
      const auto* scales = reinterpret_cast<const float*>(p + 512);
      out.scale = S::load(scales);
      if constexpr (Format::kHasMin) out.min = S::load(scales + kLanes);
    }
  };

  static void unpack(const FileSource& source, int n_blocks, std::byte* memory) {
    for (int b = 0; b < n_blocks; ++b) {
      Block block;
      source.get(b, block);
      std::byte* p = memory + static_cast<size_t>(b) * UnpackedSource::kBlockBytes;
      EMELEX_UNROLL
      for (int g = 0; g < 8; ++g) S::store_u(p + 64 * g, block.w[g]);
      auto* scales = reinterpret_cast<float*>(p + 512);
      S::store(scales, block.scale);
      if constexpr (Format::kHasMin) S::store(scales + kLanes, block.min);
    }
  }

  static I dot(I acc, U w, U x) {
    if constexpr (Format::kSmall) {
      return S::dot_small(acc, w, x);
    } else {
      return S::dot(acc, w, x);
    }
  }

  // 16 rows × T tokens; `first` is the first token of a tile of T.
  template <int T, class Source>
  static void rows_by_tile(const Source& source, const QuantizedActivations& x, int first, F acc[T]) {
    const int n_blocks = x.columns / kActivationBlock;
    const int8_t* values = x.values + static_cast<size_t>(first) * static_cast<size_t>(x.columns);
    const size_t per_block = static_cast<size_t>(first) * static_cast<size_t>(n_blocks);
    const float* scales = x.scales + per_block;
    const float* sums = x.sums + per_block;
    const int32_t* int_sums = x.int_sums + per_block;
    EMELEX_UNROLL
    for (int t = 0; t < T; ++t) acc[t] = S::zero();
    for (int b = 0; b < n_blocks; ++b) {
      Block block;
      source.get(b, block);
      I products[T];
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        if constexpr (Format::kOffsetShift > 0) {
          products[t] = S::template negative_shift<Format::kOffsetShift>(int_sums[b * T + t]);
        } else {
          products[t] = S::set_i(0);
        }
      }
      const int8_t* block_values = values + static_cast<size_t>(b) * T * kActivationBlock;
      EMELEX_UNROLL
      for (int g = 0; g < 8; ++g) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) {
          products[t] = dot(products[t], block.w[g], S::broadcast4(block_values + t * kActivationBlock + 4 * g));
        }
      }
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        const F scale = S::mul(block.scale, S::set(scales[b * T + t]));
        acc[t] = S::fma(S::to_float(products[t]), scale, acc[t]);
        if constexpr (Format::kHasMin) acc[t] = S::fma(block.min, S::set(sums[b * T + t]), acc[t]);
      }
    }
  }

  // Writes lanes [from, to) of one token's 16 rows, which begin at `row`.
  static void write(const MatmulArgs& args, int token, int row, int from, int to, F acc) {
    const size_t at = static_cast<size_t>(token) * static_cast<size_t>(args.rows) + static_cast<size_t>(row);
    if (from == 0 && to == kLanes) {
      if (args.residual != nullptr) acc = S::add(S::load(args.residual + at), acc);
      S::store(args.out + at, acc);
      return;
    }
    float lanes[kLanes];
    S::store(lanes, acc);
    for (int i = from; i < to; ++i) {
      const size_t j = at + static_cast<size_t>(i);
      args.out[j] = args.residual != nullptr ? args.residual[j] + lanes[i] : lanes[i];
    }
  }

  template <int T, class Source>
  static int tiles(const Source& source, const MatmulArgs& args, int token, int row, int from, int to) {
    for (; token + T <= args.tokens; token += T) {
      F acc[T];
      rows_by_tile<T>(source, args.activations, token, acc);
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) write(args, token + t, row, from, to, acc[t]);
    }
    if constexpr (T > 1) {
      return tiles<T / 2>(source, args, token, row, from, to);
    } else {
      return token;
    }
  }

  // The 16 rows from `row` on, of which lanes [from, to) are wanted.
  static void group(const MatmulArgs& args, int row, size_t stride, int from, int to, std::byte* scratch) {
    const auto* base = reinterpret_cast<const uint8_t*>(args.weights) + static_cast<size_t>(row) * args.row_bytes;
    const FileSource file{base, stride};
    if (args.tokens < kUnpackFrom) {
      tiles<S::kTokens>(file, args, 0, row, from, to);
    } else {
      unpack(file, args.columns / kActivationBlock, scratch);
      tiles<S::kTokens>(UnpackedSource{scratch}, args, 0, row, from, to);
    }
  }

  // From this many tokens on, unpacking once pays.
  static constexpr int kUnpackFrom = S::kTokens + 1;

  static void run(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch) {
    int row = row_begin;
    for (; row + kLanes <= row_end; row += kLanes) group(args, row, args.row_bytes, 0, kLanes, scratch);
    if (row == row_end) return;
    if (args.rows >= kLanes) {
      // The last rows, as the end of a full group: loads stay inside the matrix.
      const int first = args.rows - kLanes;
      group(args, first, args.row_bytes, row - first, kLanes, scratch);
      return;
    }
    // A matrix of fewer than 16 rows: each row alone, in all lanes.
    for (; row < row_end; ++row) group(args, row, 0, 0, 1, scratch);
  }
};

}  // namespace
}  // namespace emelex::cpu
