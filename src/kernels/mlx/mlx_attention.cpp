#include "kernels/mlx/mlx_attention.h"

#include <mlx/fast.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "emelex/error.h"
#include "kernels/mlx/mlx_batch.h"
#include "kernels/mlx/mlx_rope.h"
#include "kernels/mlx/mlx_scaling.h"

namespace emelex::mlx_backend {
namespace {

class MlxAttention : public AttentionOp {
 public:
  MlxAttention(MlxContextPtr context, const AttentionConfig& config, const std::vector<float>& sinks, int layer)
      : context_(std::move(context)),
        config_(config),
        layer_(static_cast<size_t>(layer)),
        rope_(context_, config.rope, config.head_dim) {
    if (sinks.empty()) return;
    if (config.soft_cap > 0.0F) {
      throw Error(ErrorCode::unsupported, "[mlx] expected a soft cap of scores or sinks, got both");
    }
    const mx::array scores(sinks.data(), {config.n_heads}, mx::float32);
    sinks_ = mx::astype(scores, context_->dtype, context_->stream);
    mx::eval(*sinks_);
  }

  mx::array operator()(const mx::array& q, const mx::array& k, const mx::array& v, const Batch& batch) const override {
    const MlxBatch& own = mlx_batch(batch);
    const PoolLayer& stored = own.memory->layers[layer_];
    auto& pool = static_cast<MlxKvPool&>(*own.memory->pools[static_cast<size_t>(stored.group)]);
    const Slots& slots = own.groups[static_cast<size_t>(stored.group)].slots;
    const auto rotated = rope_(q, config_.n_heads, own);  // [tokens, n_heads, head_dim]
    pool.write_keys(stored.layer, slots, rope_(k, config_.n_kv_heads, own));
    const mx::Shape rows{-1, config_.n_kv_heads, config_.head_dim};
    pool.write_values(stored.layer, slots, mx::reshape(v, rows, context_->stream));
    std::vector<mx::array> attended;
    for (size_t i = 0; i < own.step().sequences.size(); ++i)
      attended.push_back(attend_sequence(rotated, own, stored, i));
    return attended.size() == 1 ? attended.front() : mx::concatenate(attended, 0, context_->stream);
  }

 private:
  // Rows [begin, end) of a sequence: [1, kv_heads, end - begin, head_dim]
  mx::array read(const mx::array& stored, const GroupPlacement::Blocks& blocks, int begin, int end) const {
    mx::array rows = stored;
    int first = blocks.numbers.front() * kBlockTokens;
    if (blocks.gather) {
      rows = mx::reshape(rows, {-1, kBlockTokens, config_.n_kv_heads, config_.head_dim}, context_->stream);
      rows = mx::take(rows, *blocks.gather, 0, context_->stream);
      rows = mx::reshape(rows, {-1, config_.n_kv_heads, config_.head_dim}, context_->stream);
      first = 0;
    }
    first -= blocks.first * kBlockTokens;
    rows =
        mx::slice(rows, {first + begin, 0, 0}, {first + end, config_.n_kv_heads, config_.head_dim}, context_->stream);
    return mx::expand_dims(mx::transpose(rows, {1, 0, 2}, context_->stream), 0, context_->stream);
  }

  // → [count, n_heads · head_dim]
  mx::array attend_sequence(const mx::array& q, const MlxBatch& batch, const PoolLayer& stored, size_t sequence) const {
    const auto group = static_cast<size_t>(stored.group);
    const auto& pool = static_cast<const MlxKvPool&>(*batch.memory->pools[group]);
    const GroupPlacement::Blocks& blocks = batch.groups[group].sequences[sequence];
    const StepSequence& s = batch.step().sequences[sequence];
    auto queries = q;
    if (s.count != q.shape(0)) {
      queries = mx::slice(q, {s.first, 0, 0}, {s.first + s.count, config_.n_heads, config_.head_dim}, context_->stream);
    }
    queries = mx::expand_dims(mx::transpose(queries, {1, 0, 2}, context_->stream), 0, context_->stream);
    const int end = s.start + s.count;
    const int begin = config_.window > 0 ? std::max(0, s.start - config_.window + 1) : 0;
    const auto out = attention(queries, read(pool.keys(stored.layer), blocks, begin, end),
                               read(pool.values(stored.layer), blocks, begin, end), visible(s, begin));
    const auto rows = mx::reshape(mx::transpose(out, {0, 2, 1, 3}, context_->stream),
                                  {s.count, config_.n_heads * config_.head_dim}, context_->stream);
    return mx::astype(rows, q.dtype(), context_->stream);
  }

  // Which of the positions from `begin` on a sequence's tokens see, [count, positions]; nothing where those are all
  // up to their own.
  std::optional<mx::array> visible(const StepSequence& s, int begin) const {
    const int end = s.start + s.count;
    const bool sliding = config_.window > 0 && end - begin > config_.window;
    if (!sliding && (config_.soft_cap == 0.0F || s.count == 1)) return std::nullopt;
    const auto query = mx::expand_dims(mx::arange(s.start, end, mx::int32, context_->stream), 1, context_->stream);
    const auto key = mx::arange(begin, end, mx::int32, context_->stream);
    const auto before = mx::less_equal(key, query, context_->stream);
    if (!sliding) return before;
    const auto oldest = mx::subtract(query, mx::array(config_.window), context_->stream);
    return mx::logical_and(before, mx::greater(key, oldest, context_->stream), context_->stream);
  }

  // q [1, n_heads, count, head_dim], k and v [1, n_kv_heads, positions, head_dim] → the shape of q
  mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                      const std::optional<mx::array>& mask) const {
    if (config_.soft_cap > 0.0F) return capped_attention(q, k, v, mask);
    const char* mode = mask ? "array" : q.shape(2) > 1 ? "causal" : "";
    if (context_->dtype == mx::float32) {
      return mx::fast::scaled_dot_product_attention(q, k, v, config_.scale, mode, mask, sinks_, false,
                                                    context_->stream);
    }
    // Scaled before it is rounded, so that a query is in float16's range as its scores are.
    const auto queries = to_half(*context_, mx::multiply(q, mx::array(config_.scale), context_->stream));
    return mx::fast::scaled_dot_product_attention(queries, k, v, 1.0F, mode, mask, sinks_, false, context_->stream);
  }

  // MLX's fused kernel has no soft cap.
  mx::array capped_attention(const mx::array& q, const mx::array& k, const mx::array& v,
                             const std::optional<mx::array>& mask) const {
    const mx::Stream& stream = context_->stream;
    const int group = config_.n_heads / config_.n_kv_heads;
    const auto cap = mx::array(config_.soft_cap);
    const auto grouped = mx::reshape(mx::astype(q, mx::float32, stream),
                                     {config_.n_kv_heads, group, q.shape(2), config_.head_dim}, stream);
    const auto keys = mx::transpose(mx::astype(k, mx::float32, stream), {1, 0, 3, 2}, stream);
    auto scores = mx::multiply(mx::matmul(grouped, keys, stream), mx::array(config_.scale), stream);
    scores = mx::multiply(mx::tanh(mx::divide(scores, cap, stream), stream), cap, stream);
    if (mask) scores = mx::where(*mask, scores, mx::array(-std::numeric_limits<float>::infinity()), stream);
    const auto values = mx::transpose(mx::astype(v, mx::float32, stream), {1, 0, 2, 3}, stream);
    const auto out = mx::matmul(mx::softmax(scores, -1, true, stream), values, stream);
    return mx::reshape(out, q.shape(), stream);
  }

  MlxContextPtr context_;
  AttentionConfig config_;
  size_t layer_;
  MlxRope rope_;
  std::optional<mx::array> sinks_;  // [n_heads]
};

}  // namespace

std::unique_ptr<AttentionOp> make_mlx_attention(MlxContextPtr context, const AttentionConfig& config,
                                                const std::vector<float>& sinks, int layer) {
  return std::make_unique<MlxAttention>(std::move(context), config, sinks, layer);
}

}  // namespace emelex::mlx_backend
