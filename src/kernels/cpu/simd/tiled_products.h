#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/unpacked_blocks.h"
#include "kernels/cpu/simd/unroll.h"
#include "kernels/cpu/simd/write_rows.h"

// Int8 products for many tokens where the processor multiplies tiles: the integers of 16 tokens with a block of 16 rows
// are one operation. They are exact, and the float part is that of matmul_int8.h, in the same order: the bits are the
// same.
//
// A tile reads 512 bytes of activations for as much of weights, so neither may come from far. The columns are taken in
// chunks: a chunk of a group of rows stays in the first cache while all tokens pass it, and a chunk of the tokens stays
// in the second cache while all groups do. The sums of each row and token wait in scratch.
//
// `Tiles` multiplies (amx_tiles.h): configure(), release() before and after a worker's products, and multiply<kSigned>
// (a, b, c) with c[t][r] = Σ a[t][4 g + i] · b[g][r][i], signed a [16][32], b [8][16][4] signed or not, c [16][16].

namespace emelex::cpu {
namespace {

template <class S, class Tiles>
class TiledProducts {
 public:
  static void run(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch, const TileFormat& format) {
    const int tokens = args.tokens / kTileTokens * kTileTokens;
    const Plan plan(args, row_end - row_begin, tokens, scratch, format);
    Tiles::configure();
    for (int token = 0; token < tokens; token += plan.tokens_at_once) {
      const int token_end = std::min(token + plan.tokens_at_once, tokens);
      for (int row = row_begin; row < row_end; row += plan.groups_at_once * kRows) {
        rows_by_tokens(args, format, plan, {row, std::min(row + plan.groups_at_once * kRows, row_end)},
                       {token, token_end});
      }
    }
    Tiles::release();
    if (tokens < args.tokens) format.matmul(from_token(args, tokens), row_begin, row_end, scratch);
  }

 private:
  using F = typename S::F;
  using I = typename S::I;
  static constexpr int kRows = 16;
  static_assert(S::kRows == kRows && kTileTokens == 16);
  static constexpr size_t kTile = size_t{kTileTokens} * kRows;  // numbers
  static constexpr size_t kChunkBlocks = 32;                    // whose weights fill half of a first cache
  static constexpr int kMostTokens = 512;                       // whose chunk of activations fills a part of a second
  static constexpr int kMostGroups = 16;

  static constexpr size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

  struct Range {
    int begin;
    int end;
  };

  // How scratch is used, and how much is done at once for that.
  struct Plan {
    Plan(const MatmulArgs& args, int rows, int tokens, std::byte* scratch, const TileFormat& format)
        : n_blocks(static_cast<size_t>(args.columns / kActivationBlock)),
          chunk_blocks(std::min(n_blocks, kChunkBlocks)),
          block_bytes(format.has_min ? UnpackedBlock<S, 1, true>::kBytes : UnpackedBlock<S, 1, false>::kBytes),
          state_bytes(whole_lines(format.source_bytes)),
          tokens_at_once(std::min(tokens, kMostTokens)),
          blocks(scratch) {
      const size_t room = matmul_scratch_bytes(args.columns) - chunk_blocks * block_bytes;
      const auto most = [&](size_t each) { return static_cast<int>(room / each); };
      groups_at_once = std::min({kMostGroups, (rows + kRows - 1) / kRows, most(state_bytes + group_bytes())});
      if (groups_at_once == 0) {  // few columns
        groups_at_once = 1;
        tokens_at_once = static_cast<int>((room - state_bytes) / (kTile * sizeof(float))) * kTileTokens;
      }
      states = blocks + chunk_blocks * block_bytes;
      sums = reinterpret_cast<float*>(states + static_cast<size_t>(groups_at_once) * state_bytes);
    }
    size_t group_bytes() const { return static_cast<size_t>(tokens_at_once) * kRows * sizeof(float); }

    size_t n_blocks;
    size_t chunk_blocks;
    size_t block_bytes;
    size_t state_bytes;
    int tokens_at_once;
    int groups_at_once;
    std::byte* blocks;  // [chunk_blocks], unpacked, of one group
    std::byte* states;  // [groups_at_once] of state_bytes each
    float* sums;        // [groups_at_once][tokens_at_once][kRows]
  };

  // A group's first row, and which of its rows are wanted: the last group may begin among the rows of the one before.
  struct Group {
    Group(const MatmulArgs& args, const Range& rows, int index)
        : wanted(rows.begin + index * kRows), first(std::min(wanted, args.rows - kRows)) {}
    int wanted;
    int first;
  };

  static void rows_by_tokens(const MatmulArgs& args, const TileFormat& format, const Plan& plan, const Range& rows,
                             const Range& tokens) {
    const int n_groups = (rows.end - rows.begin + kRows - 1) / kRows;
    const auto state = [&](int g) { return plan.states + static_cast<size_t>(g) * plan.state_bytes; };
    const auto sums = [&](int g) { return plan.sums + static_cast<size_t>(g) * plan.group_bytes() / sizeof(float); };
    for (int g = 0; g < n_groups; ++g) format.begin(args, Group(args, rows, g).first, state(g));
    for (size_t begin = 0; begin < plan.n_blocks; begin += plan.chunk_blocks) {
      const size_t end = std::min(begin + plan.chunk_blocks, plan.n_blocks);
      for (int g = 0; g < n_groups; ++g) {
        format.unpack(state(g), begin, end, plan.blocks);
        add_chunk(args, format, {plan.blocks, begin, end}, Group(args, rows, g), tokens, sums(g));
      }
    }
  }

  // Blocks [begin, end) of a group.
  struct Chunk {
    const std::byte* blocks;
    size_t begin;
    size_t end;
  };

  // sums [tokens][kRows] += the products of a chunk; those of the first one replace them, and those of the last one are
  // written as the product.
  static void add_chunk(const MatmulArgs& args, const TileFormat& format, const Chunk& chunk, const Group& group,
                        const Range& tokens, float* sums) {
    if (!format.has_min) return add_tiles<false, true>(args, chunk, group, tokens, sums);
    if (format.signed_weights) return add_tiles<true, true>(args, chunk, group, tokens, sums);
    return add_tiles<true, false>(args, chunk, group, tokens, sums);
  }

  template <bool kHasMin, bool kSigned>
  static void add_tiles(const MatmulArgs& args, const Chunk& chunk, const Group& group, const Range& tokens,
                        float* sums) {
    using Block = UnpackedBlock<S, 1, kHasMin>;
    const QuantizedActivations& x = args.activations;
    const auto n_blocks = static_cast<size_t>(x.columns / kActivationBlock);
    for (int token = tokens.begin; token < tokens.end; token += kTileTokens, sums += kTile) {
      F acc[kTileTokens];
      EMELEX_UNROLL
      for (int t = 0; t < kTileTokens; ++t) acc[t] = chunk.begin == 0 ? S::zero() : S::load(sums + t * kRows);
      size_t at = static_cast<size_t>(token) * n_blocks + chunk.begin * kTileTokens;
      auto* p = const_cast<std::byte*>(chunk.blocks);  // a block is read here alone
      // The products of the next block are begun before those of this one are used.
      Products ring[2];
      multiply<kSigned>(p, x, at, ring[chunk.begin % 2]);
      for (size_t b = chunk.begin; b < chunk.end; ++b) {
        if (b + 1 < chunk.end) multiply<kSigned>(p + Block::kBytes, x, at + kTileTokens, ring[(b + 1) % 2]);
        add_block(Block{p}, ring[b % 2], x, at, acc);
        p += Block::kBytes;
        at += kTileTokens;
      }
      alignas(64) float last[kTile];
      float* out = chunk.end == n_blocks ? last : sums;
      EMELEX_UNROLL
      for (int t = 0; t < kTileTokens; ++t) S::store(out + t * kRows, acc[t]);
      if (out == sums) continue;
      for (int t = 0; t < kTileTokens; ++t) {
        write_rows<S>(args, token + t, group.first, group.wanted - group.first, kRows, S::load(last + t * kRows));
      }
    }
  }

  struct alignas(64) Products {
    int32_t values[kTile];
    [[gnu::always_inline]] I of(int t) const { return S::words(S::load_u(values + t * kRows)); }
  };

  // The exact products of a block with the tile of tokens whose numbers begin at `at`.
  template <bool kSigned>
  [[gnu::always_inline]] static void multiply(const std::byte* block, const QuantizedActivations& x, size_t at,
                                              Products& products) {
    Tiles::template multiply<kSigned>(x.values + at * kActivationBlock, block, products.values);
    uint64_t wide[2];
    std::memcpy(wide, x.wide + at, sizeof(wide));
    if ((wide[0] | wide[1]) != 0) [[unlikely]]
      add_high<kSigned>(block, x, at, products);
  }
  template <bool kSigned>
  [[gnu::noinline]] static void add_high(const std::byte* block, const QuantizedActivations& x, size_t at,
                                         Products& products) {
    Products high;
    Tiles::template multiply<kSigned>(x.high + at * kActivationBlock, block, high.values);
    for (size_t i = 0; i < kTile; ++i) products.values[i] += 256 * high.values[i];
  }

  // acc += a block's share; the same operations as BlockProducts::add_block.
  template <bool kHasMin>
  [[gnu::always_inline]] static void add_block(const UnpackedBlock<S, 1, kHasMin>& block, const Products& products,
                                               const QuantizedActivations& x, size_t at, F (&acc)[kTileTokens]) {
    const F sum = block.sum();
    const F scale = block.scale(0);
    EMELEX_UNROLL
    for (int t = 0; t < kTileTokens; ++t) {
      const size_t i = at + static_cast<size_t>(t);
      const F part = S::mul(S::to_float(products.of(t)), scale);
      acc[t] = S::fma(part, S::set(x.scales[i]), acc[t]);
      if constexpr (kHasMin) acc[t] = S::fma(block.min(0), S::set(x.sums[i]), acc[t]);
      acc[t] = S::fma(sum, S::set(x.centers[i]), acc[t]);
    }
  }

  // The tokens from `token` on, which is a multiple of kTileTokens.
  static MatmulArgs from_token(const MatmulArgs& args, int token) {
    MatmulArgs rest = args;
    QuantizedActivations& x = rest.activations;
    const size_t values = static_cast<size_t>(token) * static_cast<size_t>(args.columns);
    const size_t blocks = values / kActivationBlock;
    x.scales += blocks;
    x.centers += blocks;
    x.sums += blocks;
    x.half_sums += 2 * blocks;
    x.int_sums += blocks;
    x.int_half_sums += 2 * blocks;
    x.values += values;
    x.high += values;
    x.wide += blocks;
    x.tokens -= token;
    rest.tokens -= token;
    const size_t outputs = static_cast<size_t>(token) * static_cast<size_t>(args.rows);
    rest.out += outputs;
    if (rest.residual != nullptr) rest.residual += outputs;
    return rest;
  }
};

}  // namespace
}  // namespace emelex::cpu
