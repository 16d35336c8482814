#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/elementwise.h"

// Attention over the blocks of the KV cache, with an online softmax. A row is one query head of one token; rows that
// share a kv head are computed together. For every row the order of all sums is that of the positions, whatever the
// other rows.

namespace emelex::cpu {
namespace {

constexpr int kVectorsPerBlock = kBlockTokens / kLanes;

// Element: uint16_t for float16, float for float32.
template <class S, class Element>
struct Attention {
  using F = typename S::F;

  static const Element* keys(const AttendArgs& args, int block) {
    const size_t offset = static_cast<size_t>(args.kv_head) * args.layout.head_bytes();
    return reinterpret_cast<const Element*>(args.blocks[block] + args.layer_offset + offset);
  }
  static const Element* values(const AttendArgs& args, int block) {
    const size_t offset = static_cast<size_t>(args.layout.n_kv_heads + args.kv_head) * args.layout.head_bytes();
    return reinterpret_cast<const Element*>(args.blocks[block] + args.layer_offset + offset);
  }
  static const float* query(const AttendArgs& args, int row) {
    const int head = args.kv_head * args.group + row % args.group;
    return args.q + static_cast<size_t>(row / args.group) * static_cast<size_t>(args.q_stride) +
           static_cast<size_t>(head) * static_cast<size_t>(args.layout.head_dim);
  }

  static void store_token(const KvLayout& layout, std::byte* block_layer, int slot, const float* k, const float* v) {
    const F most = S::set(65504.0F);
    const F least = S::set(-65504.0F);
    const int dim = layout.head_dim;
    for (int head = 0; head < layout.n_kv_heads; ++head) {
      auto* key = reinterpret_cast<Element*>(block_layer + static_cast<size_t>(head) * layout.head_bytes());
      auto* value = reinterpret_cast<Element*>(block_layer +
                                               static_cast<size_t>(layout.n_kv_heads + head) * layout.head_bytes()) +
                    static_cast<size_t>(slot) * static_cast<size_t>(layout.padded_dim());
      const float* k_head = k + static_cast<size_t>(head) * static_cast<size_t>(dim);
      const float* v_head = v + static_cast<size_t>(head) * static_cast<size_t>(dim);
      for (int d = 0; d < dim; d += kLanes) {
        const int n = dim - d < kLanes ? dim - d : kLanes;
        F k_lanes = n == kLanes ? S::load(k_head + d) : load_rest<S>(k_head + d, n);
        F v_lanes = n == kLanes ? S::load(v_head + d) : load_rest<S>(v_head + d, n);
        if constexpr (sizeof(Element) == 2) {
          k_lanes = S::max(S::min(k_lanes, most), least);
          v_lanes = S::max(S::min(v_lanes, most), least);
        }
        S::store(value + d, v_lanes);
        Element column[kLanes];
        S::store(column, k_lanes);
        for (int i = 0; i < n; ++i) key[(d + i) * kBlockTokens + slot] = column[i];
      }
    }
  }

  // scores[r, p] = q[r] · k[p] for all positions of a block
  template <int R>
  static void scores(const AttendArgs& args, const Element* k, int row, float* out) {
    const float* q[R];
    F acc[R][kVectorsPerBlock];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      q[r] = query(args, row + r);
      EMELEX_UNROLL
      for (int i = 0; i < kVectorsPerBlock; ++i) acc[r][i] = S::zero();
    }
    for (int d = 0; d < args.layout.head_dim; ++d) {
      EMELEX_UNROLL
      for (int i = 0; i < kVectorsPerBlock; ++i) {
        const F key = S::load(k + d * kBlockTokens + i * kLanes);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) acc[r][i] = S::fma(S::set(q[r][d]), key, acc[r][i]);
      }
    }
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int i = 0; i < kVectorsPerBlock; ++i) S::store(out + r * kBlockTokens + i * kLanes, acc[r][i]);
    }
  }

  // Turns one row's scores of a block into weights relative to the new maximum, and scales what was summed before.
  // Positions from n_valid on get the weight 0.
  static void soften(const AttendState& state, int row, int padded_dim, int n_valid, float* s) {
    for (int p = n_valid; p < kBlockTokens; ++p) s[p] = -__builtin_inff();
    F largest = S::load(s);
    for (int i = 1; i < kVectorsPerBlock; ++i) largest = S::max(S::load(s + i * kLanes), largest);
    const float block_max = S::reduce_max(largest);
    const float old_max = state.max[row];
    const float new_max = block_max > old_max ? block_max : old_max;
    F sum = S::zero();
    EMELEX_UNROLL
    for (int i = 0; i < kVectorsPerBlock; ++i) {
      const F weight = exp<S>(S::sub(S::load(s + i * kLanes), S::set(new_max)));
      S::store(s + i * kLanes, weight);
      sum = S::add(sum, weight);
    }
    const float block_sum = S::reduce_add(sum);
    state.max[row] = new_max;
    if (new_max == old_max) {
      state.sum[row] += block_sum;
      return;
    }
    const F shrink = exp<S>(S::set(old_max - new_max));  // 0 at first: exp(-inf)
    state.sum[row] = state.sum[row] * S::first(shrink) + block_sum;
    float* acc = state.acc + static_cast<size_t>(row) * static_cast<size_t>(padded_dim);
    for (int d = 0; d < padded_dim; d += kLanes) S::store(acc + d, S::mul(S::load(acc + d), shrink));
  }

  // acc[r] += Σ weights[r, p] · v[p] over the first n positions, for C vectors of dimensions from `dim` on
  template <int R, int C>
  static void accumulate(const Element* v, int n, int padded_dim, int dim, const float* weights, float* acc) {
    F sums[R][C];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int c = 0; c < C; ++c) sums[r][c] = S::load(acc + r * padded_dim + dim + c * kLanes);
    }
    for (int p = 0; p < n; ++p) {
      EMELEX_UNROLL
      for (int c = 0; c < C; ++c) {
        const F value = S::load(v + p * padded_dim + dim + c * kLanes);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) sums[r][c] = S::fma(S::set(weights[r * kBlockTokens + p]), value, sums[r][c]);
      }
    }
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int c = 0; c < C; ++c) S::store(acc + r * padded_dim + dim + c * kLanes, sums[r][c]);
    }
  }

  template <int R>
  static void rows_by_block(const AttendArgs& args, int block, int row, const AttendState& state, float* s) {
    const int padded_dim = args.layout.padded_dim();
    scores<R>(args, keys(args, block), row, s);
    int most_valid = 0;
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      const int n_valid = valid(args, block, row + r);
      soften(state, row + r, padded_dim, n_valid, s + r * kBlockTokens);
      most_valid = n_valid;  // rows are in the order of their positions
    }
    float* acc = state.acc + static_cast<size_t>(row) * static_cast<size_t>(padded_dim);
    const Element* v = values(args, block);
    int dim = 0;
    for (; dim + 4 * kLanes <= padded_dim; dim += 4 * kLanes) {
      accumulate<R, 4>(v, most_valid, padded_dim, dim, s, acc);
    }
    for (; dim < padded_dim; dim += kLanes) accumulate<R, 1>(v, most_valid, padded_dim, dim, s, acc);
  }

  // How many of a block's positions a row may attend to.
  static int valid(const AttendArgs& args, int block, int row) {
    const int n = args.first_position + row / args.group + 1 - block * kBlockTokens;
    return n < 0 ? 0 : (n < kBlockTokens ? n : kBlockTokens);
  }

  static void split(const AttendArgs& args, int split_index, const AttendState& state, float* scratch) {
    const int rows = args.n_tokens * args.group;
    const int padded_dim = args.layout.padded_dim();
    for (int r = 0; r < rows; ++r) {
      state.max[r] = -__builtin_inff();
      state.sum[r] = 0.0F;
    }
    for (int i = 0; i < rows * padded_dim; ++i) state.acc[i] = 0.0F;
    const int first_block = split_index * (kSplitTokens / kBlockTokens);
    const int last_position = args.first_position + args.n_tokens - 1;
    const int end_block = last_position / kBlockTokens + 1;
    for (int block = first_block; block < first_block + kSplitTokens / kBlockTokens && block < end_block; ++block) {
      int row = 0;
      while (row < rows && valid(args, block, row) == 0) ++row;
      for (; row + 4 <= rows; row += 4) rows_by_block<4>(args, block, row, state, scratch);
      if (row + 2 <= rows) {
        rows_by_block<2>(args, block, row, state, scratch);
        row += 2;
      }
      if (row < rows) rows_by_block<1>(args, block, row, state, scratch);
    }
  }
};

template <class S>
void attend_merge(int rows, int padded_dim, const AttendState& state, const AttendState& next) {
  for (int r = 0; r < rows; ++r) {
    if (next.sum[r] == 0.0F) continue;  // the row ends before this split
    const float new_max = next.max[r] > state.max[r] ? next.max[r] : state.max[r];
    const auto shrink = exp<S>(S::set(state.max[r] - new_max));
    const auto shrink_next = exp<S>(S::set(next.max[r] - new_max));
    state.max[r] = new_max;
    state.sum[r] = state.sum[r] * S::first(shrink) + next.sum[r] * S::first(shrink_next);
    float* acc = state.acc + static_cast<size_t>(r) * static_cast<size_t>(padded_dim);
    const float* next_acc = next.acc + static_cast<size_t>(r) * static_cast<size_t>(padded_dim);
    for (int d = 0; d < padded_dim; d += kLanes) {
      S::store(acc + d, S::fma(S::load(next_acc + d), shrink_next, S::mul(S::load(acc + d), shrink)));
    }
  }
}

template <class S>
void attend_finish(const AttendArgs& args, const AttendState& state) {
  const int padded_dim = args.layout.padded_dim();
  const int dim = args.layout.head_dim;
  for (int row = 0; row < args.n_tokens * args.group; ++row) {
    const int head = args.kv_head * args.group + row % args.group;
    float* out = args.out + static_cast<size_t>(row / args.group) * static_cast<size_t>(args.q_stride) +
                 static_cast<size_t>(head) * static_cast<size_t>(dim);
    const float* acc = state.acc + static_cast<size_t>(row) * static_cast<size_t>(padded_dim);
    const auto sum = S::set(state.sum[row]);
    for (int d = 0; d < dim; d += kLanes) {
      const auto value = S::div(S::load(acc + d), sum);
      if (d + kLanes <= dim) {
        S::store(out + d, value);
      } else {
        store_rest<S>(out + d, dim - d, value);
      }
    }
  }
}

}  // namespace
}  // namespace emelex::cpu
