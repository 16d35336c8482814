#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/elementwise.h"
#include "kernels/cpu/simd/gelu.h"
#include "kernels/cpu/simd/kv_formats.h"
#include "kernels/cpu/simd/unroll.h"

// Attention over the blocks of the KV cache, with an online softmax. A row is one query head of one token; rows that
// share a kv head are computed together. For every row the order of all sums is that of the positions, whatever the
// other rows.

namespace emelex::cpu {
namespace {

// Kv: how the cache lies in memory (kv_formats.h).
template <class S, class Kv>
struct Attention {
  using F = typename S::F;

  static const std::byte* keys(const AttendArgs& args, int block) {
    return args.blocks[block] + args.layer_offset + static_cast<size_t>(args.kv_head) * args.layout.head_bytes();
  }
  static const std::byte* values(const AttendArgs& args, int block) {
    return keys(args, block) + static_cast<size_t>(args.layout.n_kv_heads) * args.layout.head_bytes();
  }
  static const float* query(const AttendArgs& args, int row) {
    const int head = args.kv_head * args.group + row % args.group;
    return args.q + static_cast<size_t>(row / args.group) * static_cast<size_t>(args.q_stride) +
           static_cast<size_t>(head) * static_cast<size_t>(args.layout.head_dim);
  }

  static void store_token(const KvLayout& layout, std::byte* block_layer, int slot, const float* k, const float* v) {
    for (int head = 0; head < layout.n_kv_heads; ++head) {
      std::byte* keys = block_layer + static_cast<size_t>(head) * layout.head_bytes();
      std::byte* values = keys + static_cast<size_t>(layout.n_kv_heads) * layout.head_bytes();
      Kv::store(layout, keys, values, slot, k + head * layout.head_dim, v + head * layout.head_dim);
    }
  }

  // Turns one row's scores of a block into weights relative to the new maximum, and scales what was summed before.
  // Positions before `first` and from n_valid on get the weight 0.
  static void soften(const AttendState& state, int row, int padded_dim, int first, int n_valid, float* s) {
    if (first >= n_valid) {  // before the row's window; the others need the block
      for (int p = 0; p < kBlockTokens; ++p) s[p] = 0.0F;
      return;
    }
    for (int p = 0; p < first; ++p) s[p] = -__builtin_inff();
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

  template <int R>
  static void rows_by_block(const AttendArgs& args, int block, int row, const std::byte* next, const AttendState& state,
                            float* s) {
    const int padded_dim = args.layout.padded_dim();
    const float* q[R];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) q[r] = query(args, row + r);
    Kv::template scores<R>(args.layout, keys(args, block), values(args, block), q, s);
    if (args.soft_cap > 0.0F) soft_cap<S>(s, args.soft_cap, R * kBlockTokens, s);
    int most_valid = 0;
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      const int n_valid = valid(args, block, row + r);
      soften(state, row + r, padded_dim, hidden(args, block, row + r), n_valid, s + r * kBlockTokens);
      most_valid = n_valid;  // rows are in the order of their positions
    }
    float* acc = state.acc + static_cast<size_t>(row) * static_cast<size_t>(padded_dim);
    Kv::template accumulate<R>(args.layout, values(args, block), next, most_valid, s, s + R * kBlockTokens, acc);
  }

  // How many of a block's positions a row may attend to.
  static int valid(const AttendArgs& args, int block, int row) {
    const int n = args.first_position + row / args.group + 1 - block * kBlockTokens;
    return n < 0 ? 0 : (n < kBlockTokens ? n : kBlockTokens);
  }

  // How many of a block's first positions lie before a row's window.
  static int hidden(const AttendArgs& args, int block, int row) {
    if (args.window == 0) return 0;
    const int n = args.first_position + row / args.group + 1 - args.window - block * kBlockTokens;
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
    const int split_begin = split_index * (kSplitTokens / kBlockTokens);
    const int split_end = split_begin + kSplitTokens / kBlockTokens;
    const int seen = first_seen(args.first_position, args.window) / kBlockTokens;
    const int last_position = args.first_position + args.n_tokens - 1;
    const int end_block = last_position / kBlockTokens + 1;
    const int end = split_end < end_block ? split_end : end_block;
    for (int block = split_begin > seen ? split_begin : seen; block < end; ++block) {
      const std::byte* next = keys(args, block + 1 < end ? block + 1 : block);
      int row = 0;
      while (row < rows && valid(args, block, row) == 0) ++row;
      for (; row + 4 <= rows; row += 4) rows_by_block<4>(args, block, row, next, state, scratch);
      switch (rows - row) {
        case 3:
          rows_by_block<3>(args, block, row, next, state, scratch);
          break;
        case 2:
          rows_by_block<2>(args, block, row, next, state, scratch);
          break;
        case 1:
          rows_by_block<1>(args, block, row, next, state, scratch);
          break;
        default:
          break;
      }
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
