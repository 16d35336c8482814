#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/row_readers.h"

// Matrix product of quantized weights with activations rounded to integers.
//
// The unit of work is a group of as many rows as the set's vectors have lanes, S::kRows. A block of 32 columns of them
// is brought into the form [8][rows][4 columns], so that a lane is a row and one dot-product instruction takes 4
// columns of all rows of the group. With x = center + scale · q and a row's weights v = d · w + min, a block's share of
// the row is
//     d · scale · Σ w q  +  min · scale · Σ q  +  center · Σ v,
// the first two for each half of it where the format has a scale for 16 columns, or for two blocks at once where they
// share d and min.
// The sums of products are exact integers; the three terms are added to a float accumulator, block after block. That
// order is the same for one token and for many, which is what makes a token's result independent of its company.
//
// Where dot products take signed weights only (S::kSignedWeights), those of more than 7 bits are kept less 128.

namespace emelex::cpu {
namespace {

template <class S, class Format>
struct Int8Matmul {
  using F = typename S::F;
  using I = typename S::I;
  using U = typename S::U;
  using X = typename S::X;

  static constexpr int kScales = Format::kScales;
  static constexpr int kGroups = 8 / kScales;  // of 4 columns that share a scale
  static constexpr int kRows = S::kRows;
  static constexpr bool kMayShareScales = requires(const MatmulArgs& args) { Format::pairs_share_scales(args); };
  static constexpr bool kCentered = S::kSignedWeights && Format::kMost >= 128;
  // A weight in registers is this much above the format's.
  static constexpr int kOffset = (Format::kOffsetShift > 0 ? 1 << Format::kOffsetShift : 0) - (kCentered ? 128 : 0);
  using RowBlock = cpu::RowBlock<S, kScales>;

  // A block of a group of rows in registers.
  struct FileBlock : RowBlock {
    F sums;
    U w(int g) const { return this->values[g]; }
    F scale(int i) const { return this->scales[i]; }
    F min(int i) const { return this->mins[i]; }
    F sum() const { return sums; }  // of the block's 32 weights, for each row
  };

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
    // are needed. A packed matrix is read straight on, and is asked for a page ahead, into the first cache; an even
    // share for each block, whatever the format reads at once (docs/decisions/0009-packed-matrices.md).
    [[gnu::always_inline]] void prefetch(size_t block) const {
      constexpr size_t kBytes = size_t{kRows} * Format::kBytes / (Format::kBlock / kActivationBlock);
      if constexpr (std::is_same_v<Reader, PackedReader<S>>) {
        if constexpr (!Format::kAskAhead) return;
        const std::byte* next = packed + block * packed_block_bytes + 4096;
        for (size_t i = 0; i < kBytes; i += 64) __builtin_prefetch(next + i, 0, 3);
      } else {
        const auto* next = reinterpret_cast<const std::byte*>(rows.base) + S::kFileGroups * kRows * rows.stride;
        for (size_t i = 0; i < kBytes; i += 64) __builtin_prefetch(next + block * kBytes + i, 0, 2);
      }
    }
    const std::byte* packed = nullptr;  // the group's packed form, of which each block has that much on average
    size_t packed_block_bytes = 0;
  };
  using FileSource = RowSource<FileReader<S>>;
  using PackedSource = RowSource<PackedReader<S>>;

  // A block that was unpacked before, for many tokens: it stays in memory.
  struct UnpackedBlock {
    static constexpr int kFloats = kScales * (Format::kHasMin ? 2 : 1) + 1;  // a row
    static constexpr int kRegister = 4 * kRows;                              // bytes
    static constexpr size_t kBytes = kRows * (kActivationBlock + kFloats * sizeof(float));
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
    void put(const FileBlock& block) const {
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
        if constexpr (Format::kHasMin) S::store(floats(1 + kScales + i), block.mins[i]);
      }
    }

   private:
    float* floats(int i) const { return reinterpret_cast<float*>(p + 8 * kRegister) + i * kRows; }
  };

  struct UnpackedSource {
    using Block = UnpackedBlock;
    std::byte* memory;
    [[gnu::always_inline]] void get(size_t block, Block& out) { out.p = memory + block * UnpackedBlock::kBytes; }
  };

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
    packed.packed = args.packed + static_cast<size_t>((row + kRows - 1) / kRows) * args.packed_group_bytes;
    packed.packed_block_bytes = args.packed_group_bytes / static_cast<size_t>(args.columns / kActivationBlock);
    packed.rows.rows.at = packed.packed;
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

  template <class Source>
  static UnpackedSource unpack(Source from, size_t n_blocks, std::byte* memory) {
    for (size_t i = 0; i < n_blocks / Format::kTogether; ++i) {
      EMELEX_UNROLL
      for (size_t j = 0; j < Format::kTogether; ++j) {
        const size_t b = i * Format::kTogether + j;
        FileBlock block;
        from.get(b, block);
        UnpackedBlock{memory + b * UnpackedBlock::kBytes}.put(block);
      }
    }
    return {memory};
  }

  static I dot(I acc, U w, const X& x) {
    if constexpr (kCentered || Format::kMost < 128) {
      return S::dot_small(acc, w, x);
    } else {
      return S::dot(acc, w, x);
    }
  }

  // The same by products of two rows with two tokens.
  template <int R, int T>
  [[gnu::always_inline]] static void add_pair_products(const UnpackedBlock (&blocks)[R], int i, const int8_t* q,
                                                       I (&products)[R][T]) {
    I pairs[R][T / 2][2];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T / 2; ++t) pairs[r][t][0] = pairs[r][t][1] = S::set_i(0);
    }
    EMELEX_UNROLL
    for (int g = i * kGroups / 2; g < (i + 1) * kGroups / 2; ++g) {
      U x[T / 2];
      EMELEX_UNROLL
      for (int t = 0; t < T / 2; ++t) {
        const int8_t* first = q + 2 * t * kActivationBlock + 8 * g;
        x[t] = S::token_pair(first, first + kActivationBlock);
      }
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int half = 0; half < 2; ++half) {
          const U w = blocks[r].pair(g, half);
          EMELEX_UNROLL
          for (int t = 0; t < T / 2; ++t) pairs[r][t][half] = S::matrix_dot(pairs[r][t][half], w, x[t]);
        }
      }
    }
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T / 2; ++t) {
        I first;
        I second;
        S::split_tokens(pairs[r][t][0], pairs[r][t][1], first, second);
        products[r][2 * t] = S::add_words(products[r][2 * t], first);
        products[r][2 * t + 1] = S::add_words(products[r][2 * t + 1], second);
      }
    }
  }

  // The same for one token and one group of rows, in two sums: each dot product waits for the one before it in its sum.
  template <class Block>
  [[gnu::always_inline]] static void add_in_two_chains(const Block (&blocks)[1], const int8_t* q, I (&products)[1][1]) {
    I second = S::set_i(0);
    EMELEX_UNROLL
    for (int g = 0; g < 4; ++g) {
      products[0][0] = dot(products[0][0], blocks[0].w(g), S::activations(q, g));
      second = dot(second, blocks[0].w(g + 4), S::activations(q, g + 4));
    }
    products[0][0] = S::add_words(products[0][0], second);
  }

  // products += Σ w q over the columns of a block's scale i, for R groups of rows and the T tokens of a tile.
  template <int R, int T, class Block>
  [[gnu::always_inline]] static void add_products(const Block (&blocks)[R], int i, const int8_t* q,
                                                  I (&products)[R][T]) {
    if constexpr (S::kTokenPairs && T > 1 && std::is_same_v<Block, UnpackedBlock>) {
      return add_pair_products(blocks, i, q, products);
    }
    if constexpr (S::kTwoDotChains && T == 1 && R == 1 && kScales == 1) return add_in_two_chains(blocks, q, products);
    EMELEX_UNROLL
    for (int g = i * kGroups; g < (i + 1) * kGroups; ++g) {
      U w[R];
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) w[r] = blocks[r].w(g);
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        const X x = S::activations(q + t * kActivationBlock, g);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) products[r][t] = dot(products[r][t], w[r], x);
      }
    }
  }

  // add_products where blocks are wide, which few are. The compiler must not see that both read the same weights: it
  // would load them all before it asks for wide ones, and they would fill the registers.
  template <int R, int T>
  [[gnu::always_inline]] static void add_high_products(const UnpackedBlock (&blocks)[R], int i, const int8_t* q,
                                                       I (&products)[R][T]) {
    UnpackedBlock again[R];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      again[r] = blocks[r];
      asm("" : "+r"(again[r].p));
    }
    add_products(again, i, q, products);
  }
  template <int R, int T>
  [[gnu::always_inline]] static void add_high_products(const FileBlock (&blocks)[R], int i, const int8_t* q,
                                                       I (&products)[R][T]) {
    add_products(blocks, i, q, products);
  }

  template <int T>
  static bool any(const uint8_t* flags) {
    uint64_t all = 0;
    static_assert(T <= sizeof(all));
    std::memcpy(&all, flags, T);
    return all != 0;
  }

  // The product of w's offset, and the sums of the q under scale i.
  template <int T>
  [[gnu::always_inline]] static I sub_offset(I products, const int32_t* sums, int t) {
    if constexpr (kOffset != 0) {
      constexpr int kShift = std::countr_zero(static_cast<unsigned>(kOffset > 0 ? kOffset : -kOffset));
      return S::template sub_shifted<kShift>(products, kOffset > 0 ? sums[t] : -sums[t]);
    } else {
      return products;
    }
  }

  // The same with q = 256 · high + value, and w without its offset.
  template <int R, int T, class Block>
  [[gnu::always_inline]] static void all_products(const Block (&blocks)[R], int i, const QuantizedActivations& x,
                                                  size_t at, I (&products)[R][T]) {
    const int32_t* sums = kScales == 1 ? x.int_sums + at : x.int_half_sums + 2 * at + i * T;
    if (any<T>(x.wide + at)) {
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) products[r][t] = S::set_i(0);
      }
      add_high_products(blocks, i, x.high + at * kActivationBlock, products);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) products[r][t] = sub_offset<T>(S::times_256(products[r][t]), sums, t);
      }
    } else {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        const I start = sub_offset<T>(S::set_i(0), sums, t);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) products[r][t] = start;
      }
    }
    add_products(blocks, i, x.values + at * kActivationBlock, products);
  }

  // R groups of rows × T tokens; `first` is the first token of a tile of T.
  template <int R, int T, class Source>
  [[gnu::always_inline]] static void rows_by_tile(const Source (&from_start)[R], const QuantizedActivations& x,
                                                  bool pairs, int first, F (&acc)[R][T]) {
    Source sources[R];  // of this tile: a source may only go forward
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) sources[r] = from_start[r];
    const auto n_blocks = static_cast<size_t>(x.columns / kActivationBlock);
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) acc[r][t] = S::zero();
    }
    if constexpr (kMayShareScales) {
      if (pairs) {
        for (size_t b = 0; b < n_blocks; b += 2) add_pair(sources, x, first, b, acc);
        return;
      }
    }
    // Blocks that share registers are done together where that is all the work there is.
    constexpr size_t kTogether = T == 1 && !std::is_same_v<Source, UnpackedSource> ? Format::kTogether : 1;
    for (size_t b = 0; b < n_blocks / kTogether; ++b) {
      EMELEX_UNROLL
      for (size_t i = 0; i < kTogether; ++i) add_block(sources, x, first, b * kTogether + i, acc);
    }
  }

  template <int R, int T, class Source>
  [[gnu::always_inline]] static void add_block(Source (&sources)[R], const QuantizedActivations& x, int first, size_t b,
                                               F (&acc)[R][T]) {
    const auto n_blocks = static_cast<size_t>(x.columns / kActivationBlock);
    const size_t at = static_cast<size_t>(first) * n_blocks + b * T;
    typename Source::Block blocks[R];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) sources[r].get(b, blocks[r]);
    F part[R][T];  // Σ w q with the weights' scales
    EMELEX_UNROLL
    for (int i = 0; i < kScales; ++i) {
      I products[R][T];
      all_products(blocks, i, x, at, products);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) {
          const F product = S::to_float(products[r][t]);
          part[r][t] = i == 0 ? S::mul(product, blocks[r].scale(i)) : S::fma(product, blocks[r].scale(i), part[r][t]);
        }
      }
    }
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        acc[r][t] = S::fma(part[r][t], S::set(x.scales[at + t]), acc[r][t]);
        if constexpr (Format::kHasMin) {
          EMELEX_UNROLL
          for (int i = 0; i < kScales; ++i) {
            const float* sums = kScales == 1 ? x.sums + at : x.half_sums + 2 * at + i * T;
            acc[r][t] = S::fma(blocks[r].min(i), S::set(sums[t]), acc[r][t]);
          }
        }
        acc[r][t] = S::fma(blocks[r].sum(), S::set(x.centers[at + t]), acc[r][t]);
      }
    }
  }

  // Two blocks with one scale and one min between them, which are applied to both at once.
  template <int R, int T, class Source>
  [[gnu::always_inline]] static void add_pair(Source (&sources)[R], const QuantizedActivations& x, int first, size_t b,
                                              F (&acc)[R][T]) {
    const auto n_blocks = static_cast<size_t>(x.columns / kActivationBlock);
    const size_t at = static_cast<size_t>(first) * n_blocks + b * T;
    F part[R][T];  // Σ w q with the activations' scales
    F scale[R];
    F min[R];
    EMELEX_UNROLL
    for (size_t i = 0; i < 2; ++i) {
      typename Source::Block blocks[R];
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) sources[r].get(b + i, blocks[r]);
      I products[R][T];
      all_products(blocks, 0, x, at + i * T, products);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        scale[r] = blocks[r].scale(0);
        min[r] = blocks[r].min(0);
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) {
          const F product = S::to_float(products[r][t]);
          const F factor = S::set(x.scales[at + i * T + t]);
          part[r][t] = i == 0 ? S::mul(product, factor) : S::fma(product, factor, part[r][t]);
          acc[r][t] = S::fma(blocks[r].sum(), S::set(x.centers[at + i * T + t]), acc[r][t]);
        }
      }
    }
    float sums[T];
    EMELEX_UNROLL
    for (int t = 0; t < T; ++t) sums[t] = x.sums[at + t] + x.sums[at + T + t];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        acc[r][t] = S::fma(part[r][t], scale[r], acc[r][t]);
        acc[r][t] = S::fma(min[r], S::set(sums[t]), acc[r][t]);
      }
    }
  }

  // Writes lanes [from, to) of one token's group of rows, which begin at `row`.
  static void write(const MatmulArgs& args, int token, int row, int from, int to, F acc) {
    const size_t at = static_cast<size_t>(token) * static_cast<size_t>(args.rows) + static_cast<size_t>(row);
    if (from == 0 && to == kRows) {
      if (args.residual != nullptr) acc = S::add(S::load(args.residual + at), acc);
      S::store(args.out + at, acc);
      return;
    }
    float lanes[kRows];
    S::store(lanes, acc);
    for (int i = from; i < to; ++i) {
      const size_t j = at + static_cast<size_t>(i);
      args.out[j] = args.residual != nullptr ? args.residual[j] + lanes[i] : lanes[i];
    }
  }

  static bool share_scales(const MatmulArgs& args) {
    if constexpr (kMayShareScales) return Format::pairs_share_scales(args);
    return false;
  }

  // Lanes [from, to) of the rows from `row` on, for all tokens from `token` on that fill tiles of T, then smaller ones.
  template <int T, int R, class Source>
  static void tiles(const Source (&sources)[R], const MatmulArgs& args, int token, int row, int from, int to) {
    for (; token + T <= args.tokens; token += T) {
      F acc[R][T];
      rows_by_tile(sources, args.activations, share_scales(args), token, acc);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) write(args, token + t, row + r * kRows, from, to, acc[r][t]);
      }
    }
    if constexpr (T > 1) tiles<T / 2>(sources, args, token, row, from, to);
  }

  // Groups of rows from `row` on, of which lanes [from, to) are wanted, as they lie in memory.
  template <class Make, int... kGroup>
  [[gnu::always_inline]] static void direct_groups(const MatmulArgs& args, int row, int from, int to, const Make& make,
                                                   std::integer_sequence<int, kGroup...> /*groups*/) {
    const decltype(make(row)) sources[] = {make(row + kGroup * kRows)...};
    tiles<S::kTokens>(sources, args, 0, row, from, to);
  }

  // The same for R groups, the way that suits the number of tokens. make(row) is the source of a group.
  template <int R, class Make>
  static void groups(const MatmulArgs& args, int row, int from, int to, std::byte* scratch, const Make& make) {
    const auto n_blocks = static_cast<size_t>(args.columns / kActivationBlock);
    if (args.tokens > S::kTokens) {  // unpacking once pays
      UnpackedSource sources[R];
      for (int r = 0; r < R; ++r) {
        sources[r] = unpack(make(row + r * kRows), n_blocks,
                            scratch + static_cast<size_t>(r) * n_blocks * UnpackedBlock::kBytes);
      }
      tiles<S::kTokens>(sources, args, 0, row, from, to);
    } else {
      constexpr int kAtOnce = R < S::kFileGroups ? R : S::kFileGroups;
      for (int r = 0; r < R; r += kAtOnce) {
        direct_groups(args, row + r * kRows, from, to, make, std::make_integer_sequence<int, kAtOnce>());
      }
    }
  }

  template <class Make>
  static void rows(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch, const Make& make) {
    int row = row_begin;
    constexpr int kMost = S::kRowGroups * kRows;
    for (; row + kMost <= row_end; row += kMost) groups<S::kRowGroups>(args, row, 0, kRows, scratch, make);
    for (; row + kRows <= row_end; row += kRows) groups<1>(args, row, 0, kRows, scratch, make);
    if (row == row_end) return;
    // The last rows, as the end of a full group: loads stay inside the matrix.
    const int first = args.rows - kRows;
    groups<1>(args, first, row - first, kRows, scratch, make);
  }

  static void run(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch) {
    if (args.packed != nullptr) {
      rows(args, row_begin, row_end, scratch, [&](int row) { return packed_source(args, row); });
    } else if (args.rows >= kRows) {
      rows(args, row_begin, row_end, scratch, [&](int row) { return source<FileReader<S>>(args, row, 1); });
    } else {  // fewer rows than a group: each alone, in all lanes
      const auto repeated = [&](int row) { return source<FileReader<S>>(args, row, 0); };
      for (int row = row_begin; row < row_end; ++row) groups<1>(args, row, 0, 1, scratch, repeated);
    }
  }
};

}  // namespace
}  // namespace emelex::cpu
