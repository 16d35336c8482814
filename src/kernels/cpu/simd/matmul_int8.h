#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/unroll.h"
#include "kernels/cpu/simd/weight_blocks.h"
#include "kernels/cpu/simd/write_rows.h"

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

// Products with blocks of so many scales; `kSmallWeights` says whether dot products may take weights for signed bytes.
template <class S, int kScales, bool kHasMin, bool kSmallWeights>
struct BlockProducts {
  using F = typename S::F;
  using I = typename S::I;
  using U = typename S::U;
  using X = typename S::X;
  static constexpr int kGroups = 8 / kScales;  // of 4 columns that share a scale
  static constexpr int kRows = S::kRows;

  static I dot(I acc, U w, const X& x) {
    if constexpr (kSmallWeights) {
      return S::dot_small(acc, w, x);
    } else {
      return S::dot(acc, w, x);
    }
  }

  // The same by products of two rows with two tokens.
  template <int R, int T, class Block>
  [[gnu::always_inline]] static void add_pair_products(const Block (&blocks)[R], int i, const int8_t* q,
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
    if constexpr (S::kTokenPairs && T > 1 && Block::kUnpacked) {
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
  template <int R, int T, class Block>
  [[gnu::always_inline]] static void add_high_products(const Block (&blocks)[R], int i, const int8_t* q,
                                                       I (&products)[R][T]) {
    if constexpr (Block::kUnpacked) {
      Block again[R];
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        again[r] = blocks[r];
        asm("" : "+r"(again[r].p));
      }
      add_products(again, i, q, products);
    } else {
      add_products(blocks, i, q, products);
    }
  }

  // Where T tokens lie in the activations: a tile by themselves, or where S::kTiles, maybe a part of a larger one.
  template <int T>
  struct Place {
    static constexpr bool kMayBePart = S::kTiles && T == S::kTokens;
    template <size_t kAlone>
    using Number = std::conditional_t<kMayBePart, size_t, std::integral_constant<size_t, kAlone>>;

    size_t first;  // of block 0
    [[no_unique_address]] Number<T> tile;
    [[no_unique_address]] Number<0> within;  // tokens of the tile before these

    static Place of(const QuantizedActivations& x, int token) {
      const auto n_blocks = static_cast<size_t>(x.columns / kActivationBlock);
      if constexpr (kMayBePart) {
        const TokenTile tile = token_tile(token, x.tokens, x.max_tile);
        const auto within = static_cast<size_t>(token - tile.first);
        return {static_cast<size_t>(tile.first) * n_blocks + within, static_cast<size_t>(tile.size), within};
      } else {
        return {static_cast<size_t>(token) * n_blocks, {}, {}};
      }
    }
    // Of arrays with one number a block, and of those with one for each half.
    [[gnu::always_inline]] size_t block(size_t b) const { return first + b * tile; }
    [[gnu::always_inline]] size_t half(size_t b, int i) const {
      return 2 * block(b) - within + static_cast<size_t>(i) * tile;
    }
  };

  template <int T>
  static bool any(const uint8_t* flags) {
    uint64_t all = 0;
    static_assert(T <= sizeof(all));
    std::memcpy(&all, flags, T);
    return all != 0;
  }

  // products - offset · sums[t], where sums has those of the q under a scale. The offset is a constant in the type, or
  // a number.
  template <class Offset>
  [[gnu::always_inline]] static I sub_offset(I products, const int32_t* sums, int t, Offset offset) {
    if constexpr (std::is_same_v<Offset, int>) {
      return S::sub_scaled(products, sums[t], offset);
    } else if constexpr (Offset::value != 0) {
      constexpr int kOffset = Offset::value;
      constexpr int kShift = std::countr_zero(static_cast<unsigned>(kOffset > 0 ? kOffset : -kOffset));
      return S::template sub_shifted<kShift>(products, kOffset > 0 ? sums[t] : -sums[t]);
    } else {
      return products;
    }
  }

  // The same with q = 256 · high + value, and w without its offset.
  template <int R, int T, class Block, class Offset>
  [[gnu::always_inline]] static void all_products(const Block (&blocks)[R], Offset offset, int i,
                                                  const QuantizedActivations& x, const Place<T>& place, size_t b,
                                                  I (&products)[R][T]) {
    const size_t at = place.block(b);
    const int32_t* sums = kScales == 1 ? x.int_sums + at : x.int_half_sums + place.half(b, i);
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
        for (int t = 0; t < T; ++t) products[r][t] = sub_offset(S::times_256(products[r][t]), sums, t, offset);
      }
    } else {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        const I start = sub_offset(S::set_i(0), sums, t, offset);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) products[r][t] = start;
      }
    }
    add_products(blocks, i, x.values + at * kActivationBlock, products);
  }

  // R groups of rows × T tokens; `first` is the first token of a tile of T.
  template <bool kPairs, int R, int T, class Source>
  [[gnu::always_inline]] static void rows_by_tile(const Source (&from_start)[R], const QuantizedActivations& x,
                                                  int first, F (&acc)[R][T]) {
    Source sources[R];  // of this tile: a source may only go forward
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) sources[r] = from_start[r];
    const auto n_blocks = static_cast<size_t>(x.columns / kActivationBlock);
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) acc[r][t] = S::zero();
    }
    const auto place = Place<T>::of(x, first);
    if constexpr (kPairs) {
      for (size_t b = 0; b < n_blocks; b += 2) add_pair(sources, x, place, b, acc);
    } else {
      // Blocks that share registers are done together where that is all the work there is.
      constexpr size_t kTogether = T == 1 ? Source::kTogether : 1;
      for (size_t b = 0; b < n_blocks / kTogether; ++b) {
        EMELEX_UNROLL
        for (size_t i = 0; i < kTogether; ++i) add_block(sources, x, place, b * kTogether + i, acc);
      }
    }
  }

  template <int R, int T, class Source>
  [[gnu::always_inline]] static void add_block(Source (&sources)[R], const QuantizedActivations& x,
                                               const Place<T>& place, size_t b, F (&acc)[R][T]) {
    const size_t at = place.block(b);
    typename Source::Block blocks[R];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) sources[r].get(b, blocks[r]);
    F part[R][T];  // Σ w q with the weights' scales
    EMELEX_UNROLL
    for (int i = 0; i < kScales; ++i) {
      I products[R][T];
      all_products(blocks, sources[0].offset, i, x, place, b, products);
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
        if constexpr (kHasMin) {
          EMELEX_UNROLL
          for (int i = 0; i < kScales; ++i) {
            const float* sums = kScales == 1 ? x.sums + at : x.half_sums + place.half(b, i);
            acc[r][t] = S::fma(blocks[r].min(i), S::set(sums[t]), acc[r][t]);
          }
        }
        acc[r][t] = S::fma(blocks[r].sum(), S::set(x.centers[at + t]), acc[r][t]);
      }
    }
  }

  // Two blocks with one scale and one min between them, which are applied to both at once.
  template <int R, int T, class Source>
  [[gnu::always_inline]] static void add_pair(Source (&sources)[R], const QuantizedActivations& x,
                                              const Place<T>& place, size_t b, F (&acc)[R][T]) {
    F part[R][T];  // Σ w q with the activations' scales
    F scale[R];
    F min[R];
    EMELEX_UNROLL
    for (size_t i = 0; i < 2; ++i) {
      typename Source::Block blocks[R];
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) sources[r].get(b + i, blocks[r]);
      I products[R][T];
      all_products(blocks, sources[0].offset, 0, x, place, b + i, products);
      const size_t at = place.block(b + i);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        scale[r] = blocks[r].scale(0);
        min[r] = blocks[r].min(0);
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) {
          const F product = S::to_float(products[r][t]);
          const F factor = S::set(x.scales[at + t]);
          part[r][t] = i == 0 ? S::mul(product, factor) : S::fma(product, factor, part[r][t]);
          acc[r][t] = S::fma(blocks[r].sum(), S::set(x.centers[at + t]), acc[r][t]);
        }
      }
    }
    float sums[T];
    EMELEX_UNROLL
    for (int t = 0; t < T; ++t) sums[t] = x.sums[place.block(b) + t] + x.sums[place.block(b + 1) + t];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        acc[r][t] = S::fma(part[r][t], scale[r], acc[r][t]);
        acc[r][t] = S::fma(min[r], S::set(sums[t]), acc[r][t]);
      }
    }
  }

  // Lanes [from, to) of the rows from `row` on, for all tokens from `token` on that fill tiles of T, then smaller ones.
  // `kPairs`: two blocks each share their scales.
  template <bool kPairs, int T, int R, class Source>
  static void some_tiles(const Source (&sources)[R], const MatmulArgs& args, int token, int row, int from, int to) {
    for (; token + T <= args.tokens; token += T) {
      F acc[R][T];
      rows_by_tile<kPairs>(sources, args.activations, token, acc);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) write_rows<S>(args, token + t, row + r * kRows, from, to, acc[r][t]);
      }
    }
    if constexpr (T > 1) some_tiles<kPairs, T / 2>(sources, args, token, row, from, to);
  }

  // The same for all tokens.
  template <int T, int R, class Source>
  static void tiles(const Source (&sources)[R], const MatmulArgs& args, bool pairs, int row, int from, int to) {
    if constexpr (Source::kMayShareScales) {
      if (pairs) return some_tiles<true, T>(sources, args, 0, row, from, to);
    }
    some_tiles<false, T>(sources, args, 0, row, from, to);
  }
};

// The kernel of a set for unpacked blocks of one kind. isa/unpacked_products.cpp instantiates all of them, once a set.
template <class S, int kKind>
struct UnpackedProducts {
  static constexpr UnpackedKind kind = UnpackedKind::of(kKind);

  template <int R>
  static void groups(const MatmulArgs& args, const UnpackedRows& rows) {
    UnpackedSource<S, kind.scales, kind.has_min, kind.has_offset> sources[R];
    for (int r = 0; r < R; ++r) {
      sources[r].memory = rows.memory + static_cast<size_t>(r) * rows.group_bytes;
      if constexpr (kind.has_offset) sources[r].offset = rows.offset;
    }
    using Products = BlockProducts<S, kind.scales, kind.has_min, kind.small_weights>;
    Products::template tiles<S::kTokens>(sources, args, rows.pairs_share_scales, rows.row, rows.from, rows.to);
  }
  // The same for two tokens, with blocks that are unpacked a few at a time.
  static void two_tokens(const MatmulArgs& args, const UnpackedRows& rows) {
    using Products = BlockProducts<S, kind.scales, kind.has_min, kind.small_weights>;
    using Source = ArrivingSource<S, kind.scales, kind.has_min, kind.has_offset>;
    Source sources[1];
    sources[0].memory = rows.memory;
    if constexpr (kind.has_offset) sources[0].offset = rows.offset;
    sources[0].rows = &rows;
    sources[0].n_blocks = static_cast<size_t>(args.columns / kActivationBlock);
    typename S::F acc[1][2];
    if constexpr (Source::kMayShareScales) {
      if (rows.pairs_share_scales) {
        Products::template rows_by_tile<true>(sources, args.activations, 0, acc);
      } else {
        Products::template rows_by_tile<false>(sources, args.activations, 0, acc);
      }
    } else {
      Products::template rows_by_tile<false>(sources, args.activations, 0, acc);
    }
    for (int t = 0; t < 2; ++t) write_rows<S>(args, t, rows.row, rows.from, rows.to, acc[0][t]);
  }
  static void run(const MatmulArgs& args, const UnpackedRows& rows) {
    if constexpr (!S::kAlwaysUnpacks) {
      if (rows.unpack_next != nullptr) return two_tokens(args, rows);
    }
    if constexpr (S::kRowGroups > 1) {
      if (rows.groups == 1) return groups<1>(args, rows);
    }
    groups<S::kRowGroups>(args, rows);
  }
};

// `kUnpacked` has the set's kernels for unpacked blocks.
template <class S, class Format, const UnpackedFn (&kUnpacked)[kUnpackedKernels]>
struct Int8Matmul : WeightBlocks<S, Format> {
  using Blocks = WeightBlocks<S, Format>;
  using Blocks::kRows;
  using Blocks::packed_source;
  using Blocks::unpack;
  using typename Blocks::UnpackedBlock;
  using Products = BlockProducts<S, Blocks::kScales, Format::kHasMin, Blocks::kSmallWeights>;
  static constexpr UnpackedKind kKind = {Blocks::kScales, Format::kHasMin, Blocks::kOffset != 0, Blocks::kSmallWeights};
  static_assert(is_needed(kKind, S::kSignedWeights), "add the kind to is_needed");

  static bool share_scales(const MatmulArgs& args) {
    if constexpr (Blocks::kMayShareScales) return Format::pairs_share_scales(args);
    return false;
  }

  // For up to so many tokens, blocks of a source are multiplied where they are read. To read a file's blocks is much
  // code, and is compiled for one token alone.
  template <class Source>
  static constexpr bool kIsPacked = std::is_same_v<Source, typename Blocks::PackedSource>;
  template <class Source>
  static constexpr int kDirectTokens = S::kAlwaysUnpacks   ? 0
                                       : kIsPacked<Source> ? S::kTokens
                                                           : 1;

  // Groups of rows from `row` on, of which lanes [from, to) are wanted, as they lie in memory.
  template <class Make, int... kGroup>
  [[gnu::always_inline]] static void direct_groups(const MatmulArgs& args, int row, int from, int to, const Make& make,
                                                   std::integer_sequence<int, kGroup...> /*groups*/) {
    using Source = decltype(make(row));
    const Source sources[] = {make(row + kGroup * kRows)...};
    Products::template tiles<kDirectTokens<Source>>(sources, args, share_scales(args), row, from, to);
  }

  template <class Source>
  static void unpack_next(void* source, size_t begin, size_t end, std::byte* memory) {
    unpack(*static_cast<Source*>(source), begin, end, false, memory);
  }

  // The same for R groups, the way that suits the number of tokens. make(row) is the source of a group.
  template <int R, class Make>
  static void groups(const MatmulArgs& args, int row, int from, int to, std::byte* scratch, const Make& make) {
    using Source = decltype(make(row));
    const auto n_blocks = static_cast<size_t>(args.columns / kActivationBlock);
    if constexpr (!S::kAlwaysUnpacks && !kIsPacked<Source>) {
      if (args.tokens == 2) {
        for (int r = 0; r < R; ++r) {
          const int first = row + r * kRows;
          Source source = make(first);
          kUnpacked[kKind.number()](args, {scratch, 0, 1, first, from, to, Blocks::kOffset, share_scales(args),
                                           unpack_next<Source>, &source});
        }
        return;
      }
    }
    if (args.tokens > kDirectTokens<Source>) {  // unpacking once pays
      const size_t group_bytes = n_blocks * UnpackedBlock::kBytes;
      for (int r = 0; r < R; ++r) {
        auto source = make(row + r * kRows);
        unpack(source, 0, n_blocks, false, scratch + static_cast<size_t>(r) * group_bytes);
      }
      kUnpacked[kKind.number()](args, {scratch, group_bytes, R, row, from, to, Blocks::kOffset, share_scales(args)});
      return;
    }
    if constexpr (!S::kAlwaysUnpacks) {
      constexpr int kAtOnce = R < S::kFileGroups ? R : S::kFileGroups;
      for (int r = 0; r < R; r += kAtOnce) {
        direct_groups(args, row + r * kRows, from, to, make, std::make_integer_sequence<int, kAtOnce>());
      }
    }
  }

  // As direct_groups, for S::kStreams groups of a packed matrix and one token.
  template <int... kGroup>
  [[gnu::always_inline]] static void streams(const MatmulArgs& args, int row,
                                             std::integer_sequence<int, kGroup...> /*groups*/) {
    const typename Blocks::PackedSource sources[] = {packed_source(args, row + kGroup * kRows)...};
    if constexpr (Blocks::kMayShareScales) {
      if (share_scales(args)) return Products::template some_tiles<true, 1>(sources, args, 0, row, 0, kRows);
    }
    Products::template some_tiles<false, 1>(sources, args, 0, row, 0, kRows);
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

  static constexpr bool kTiled = S::kTiles && Blocks::kScales == 1;

  // How tiles get blocks from a source that make(args, row) makes.
  template <class Source, Source (*kMake)(const MatmulArgs& args, int row)>
  static TileFormat tile_format() {
    static_assert(Blocks::kOffset == 0 || Format::kMost - Blocks::kOffset < 128);
    static_assert(std::is_trivially_copyable_v<Source> && alignof(Source) <= 64 && kActivationBlock * kRows == 512);
    const auto begin = [](const MatmulArgs& all, int row, std::byte* state) { new (state) Source(kMake(all, row)); };
    const auto unpack_some = [](std::byte* state, size_t first, size_t end, std::byte* memory) {
      unpack(*std::launder(reinterpret_cast<Source*>(state)), first, end, true, memory);
    };
    return {sizeof(Source), begin, unpack_some, Format::kHasMin, Blocks::kOffset != 0 || Blocks::kSmallWeights, run};
  }
  static typename Blocks::FileSource file_source(const MatmulArgs& args, int row) {
    return Blocks::template source<FileReader<S>>(args, row, 1);
  }

  static void run(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch) {
    if constexpr (kTiled) {
      // Where pairs of blocks share their scales, products without tiles are as quick.
      if (args.tiled != nullptr && args.tokens >= kTileTokens && args.rows >= kRows && !share_scales(args)) {
        return args.tiled(args, row_begin, row_end, scratch,
                          args.packed != nullptr ? tile_format<typename Blocks::PackedSource, packed_source>()
                                                 : tile_format<typename Blocks::FileSource, file_source>());
      }
    }
    if (args.packed != nullptr) {
      if constexpr (S::kStreams > 1) {
        constexpr int kAtOnce = S::kStreams * kRows;
        for (; args.streams && args.tokens == 1 && row_begin + kAtOnce <= row_end; row_begin += kAtOnce) {
          streams(args, row_begin, std::make_integer_sequence<int, S::kStreams>());
        }
      }
      rows(args, row_begin, row_end, scratch, [&](int row) { return packed_source(args, row); });
    } else if (args.rows >= kRows) {
      rows(args, row_begin, row_end, scratch, [&](int row) { return file_source(args, row); });
    } else {  // fewer rows than a group: each alone, in all lanes
      const auto repeated = [&](int row) { return Blocks::template source<FileReader<S>>(args, row, 0); };
      for (int row = row_begin; row < row_end; ++row) groups<1>(args, row, 0, 1, scratch, repeated);
    }
  }
};

}  // namespace
}  // namespace emelex::cpu
