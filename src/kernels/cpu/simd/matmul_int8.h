#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"

// Matrix product of quantized weights with activations rounded to integers.
//
// The unit of work is 16 rows. A block of 32 columns of them is brought into the form [8][16 rows][4 columns], so that
// a lane is a row and one dot-product instruction takes 4 columns of 16 rows. With x = center + scale · q and a row's
// weights v = d · w + min, a block's share of the row is
//     d · scale · Σ w q  +  min · scale · Σ q  +  center · Σ v.
// The sums of products are exact integers; the three terms are added to a float accumulator, block after block. That
// order is the same for one token and for many, which is what makes a token's result independent of its company.

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
    F sum;  // of the block's 32 weights, for each row
  };

  static F sum_of_weights(const Block& block) {
    constexpr int kOffset = Format::kOffsetShift > 0 ? 1 << Format::kOffsetShift : 0;
    static constexpr int8_t kOnes[4] = {1, 1, 1, 1};
    I sum = S::set_i(-kOffset * kActivationBlock);
    EMELEX_UNROLL
    for (int g = 0; g < 8; ++g) sum = dot(sum, block.w[g], S::broadcast4(kOnes));
    const F scaled = S::mul(S::to_float(sum), block.scale);
    return Format::kHasMin ? S::fma(block.min, S::set(kActivationBlock), scaled) : scaled;
  }

  // Blocks straight from the file's layout: for so few tokens that each is used once or twice.
  struct FileSource {
    const uint8_t* base;
    size_t stride;
    void get(int block, Block& out) const {
      prefetch(block);
      Format::template load_rows<S>(base + static_cast<size_t>(block) * Format::kBytes, stride, out.w, out.scale,
                                    out.min);
      out.sum = sum_of_weights(out);
    }
    // The same share of the next 16 rows. They follow these in memory, but rows are read side by side, which no
    // hardware prefetcher sees through.
    void prefetch(int block) const {
      constexpr size_t kBytes = size_t{kLanes} * Format::kBytes;
      const uint8_t* next = base + kLanes * stride + static_cast<size_t>(block) * kBytes;
      for (size_t i = 0; i < kBytes; i += 64) __builtin_prefetch(next + i);
    }
  };

  // Blocks that were unpacked before, for many tokens.
  struct UnpackedSource {
    const std::byte* memory;
    static constexpr size_t kBlockBytes = 512 + 3 * kLanes * sizeof(float);
    void get(int block, Block& out) const {
      const std::byte* p = memory + static_cast<size_t>(block) * kBlockBytes;
      EMELEX_UNROLL
      for (int g = 0; g < 8; ++g) out.w[g] = S::load_u(p + 64 * g);
      const auto* scales = reinterpret_cast<const float*>(p + 512);
      out.scale = S::load(scales);
      out.sum = S::load(scales + kLanes);
      if constexpr (Format::kHasMin) out.min = S::load(scales + 2 * kLanes);
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
      S::store(scales + kLanes, block.sum);
      if constexpr (Format::kHasMin) S::store(scales + 2 * kLanes, block.min);
    }
  }

  static I dot(I acc, U w, U x) {
    if constexpr (Format::kSmall) {
      return S::dot_small(acc, w, x);
    } else {
      return S::dot(acc, w, x);
    }
  }

  // products[t] += Σ w q over a block, for the T tokens of a tile.
  template <int T>
  static void add_products(const Block& block, const int8_t* q, I products[T]) {
    EMELEX_UNROLL
    for (int g = 0; g < 8; ++g) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        products[t] = dot(products[t], block.w[g], S::broadcast4(q + t * kActivationBlock + 4 * g));
      }
    }
  }

  template <int T>
  static bool any(const uint8_t* flags) {
    uint64_t all = 0;
    static_assert(T <= sizeof(all));
    std::memcpy(&all, flags, T);
    return all != 0;
  }

  // 16 rows × T tokens; `first` is the first token of a tile of T.
  template <int T, class Source>
  static void rows_by_tile(const Source& source, const QuantizedActivations& x, int first, F acc[T]) {
    const size_t n_blocks = static_cast<size_t>(x.columns / kActivationBlock);
    EMELEX_UNROLL
    for (int t = 0; t < T; ++t) acc[t] = S::zero();
    for (size_t b = 0; b < n_blocks; ++b) {
      const size_t at = static_cast<size_t>(first) * n_blocks + b * T;
      Block block;
      source.get(static_cast<int>(b), block);
      I products[T];
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) products[t] = S::set_i(0);
      if (any<T>(x.wide + at)) {
        add_products<T>(block, x.high + at * kActivationBlock, products);
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) products[t] = S::times_256(products[t]);
      }
      if constexpr (Format::kOffsetShift > 0) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) {
          products[t] = S::template sub_shifted<Format::kOffsetShift>(products[t], x.int_sums[at + t]);
        }
      }
      add_products<T>(block, x.values + at * kActivationBlock, products);
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        const F scale = S::mul(block.scale, S::set(x.scales[at + t]));
        acc[t] = S::fma(S::to_float(products[t]), scale, acc[t]);
        if constexpr (Format::kHasMin) acc[t] = S::fma(block.min, S::set(x.sums[at + t]), acc[t]);
        acc[t] = S::fma(block.sum, S::set(x.centers[at + t]), acc[t]);
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
