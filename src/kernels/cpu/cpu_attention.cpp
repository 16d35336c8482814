#include "kernels/cpu/cpu_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/cpu_batch.h"
#include "kernels/cpu/cpu_op.h"

namespace emelex::cpu {
namespace {

// One layer's attention over one step. The layer is number `layer` of its pool's.
class AttendTask {
 public:
  AttendTask(CpuContext& context, const KvLayout& layout, const AttendPlan& plan, const AttentionConfig& config,
             const std::vector<float>& sinks, int layer, const float* const* inputs, float* out)
      : context_(context),
        layout_(layout),
        plan_(plan),
        config_(config),
        sinks_(sinks),
        layer_offset_(static_cast<size_t>(layer) * layout.layer_bytes()),
        q_(inputs[0]),
        k_(inputs[1]),
        v_(inputs[2]),
        out_(out),
        q_stride_(config_.n_heads * config_.head_dim),
        k_stride_(config_.n_kv_heads * config_.head_dim),
        group_(config_.n_heads / config_.n_kv_heads) {
    rotated_ = context.task_scratch.get<float>(plan.token_slot.size() * static_cast<size_t>(q_stride_));
  }

  void run() {
    // Every token's keys must be there before any token attends.
    const auto n_tokens = static_cast<int>(plan_.token_slot.size());
    context_.pool.for_each(n_tokens, [this](int token, int worker) { rotate_and_store(token, worker); });
    const auto n_tiles = static_cast<int>(plan_.tiles.size());
    const auto n_splits = static_cast<int>(plan_.tile_of_split.size());
    if (n_tiles >= 4 * context_.pool.size() || n_splits == n_tiles) {
      context_.pool.for_each(n_tiles, [this](int tile, int worker) { attend_whole(tile, worker); });
    } else {
      attend_by_splits(n_tiles, n_splits);
    }
  }

 private:
  void rotate_and_store(int token, int worker) {
    const auto t = static_cast<size_t>(token);
    const float* cos_sin = plan_.rope.token(t);
    float* q = rotated_ + t * static_cast<size_t>(q_stride_);
    std::memcpy(q, q_ + t * static_cast<size_t>(q_stride_), static_cast<size_t>(q_stride_) * sizeof(float));
    for (int head = 0; head < config_.n_heads; ++head) {
      context_.kernels.rope(q + head * config_.head_dim, config_.rope.dim, config_.rope.interleaved, cos_sin);
    }
    for (int i = 0; i < q_stride_; ++i) q[i] *= config_.scale;

    auto* k = context_.worker_scratch[static_cast<size_t>(worker)].get<float>(static_cast<size_t>(k_stride_));
    std::memcpy(k, k_ + t * static_cast<size_t>(k_stride_), static_cast<size_t>(k_stride_) * sizeof(float));
    for (int head = 0; head < config_.n_kv_heads; ++head) {
      context_.kernels.rope(k + head * config_.head_dim, config_.rope.dim, config_.rope.interleaved, cos_sin);
    }
    context_.kernels.store_kv[static_cast<int>(layout_.dtype)](
        layout_, plan_.token_block[t] + layer_offset_, plan_.token_slot[t], k, v_ + t * static_cast<size_t>(k_stride_));
  }

  AttendArgs args(const AttendTile& tile) const {
    const size_t at = static_cast<size_t>(tile.token) * static_cast<size_t>(q_stride_);
    return {layout_,
            plan_.blocks[static_cast<size_t>(tile.sequence)].data(),
            layer_offset_,
            rotated_ + at,
            out_ + at,
            q_stride_,
            group_,
            tile.n_tokens,
            tile.first_position,
            tile.kv_head,
            config_.window,
            config_.soft_cap};
  }

  void split(const AttendArgs& a, int index, const AttendState& state, float* scratch) const {
    context_.kernels.attend_split[static_cast<int>(layout_.dtype)](a, index, state, scratch);
  }

  // A sink is one more score in the sum, relative to the largest of the others, which may well be smaller.
  void finish(const AttendArgs& a, const AttendState& state) const {
    for (int row = 0; !sinks_.empty() && row < a.n_tokens * group_; ++row) {
      const auto head = static_cast<size_t>(a.kv_head * group_ + row % group_);
      state.sum[row] += std::exp(sinks_[head] - state.max[row]);
    }
    context_.kernels.attend_finish(a, state);
  }

  // All splits of a tile, by one worker.
  void attend_whole(int index, int worker) {
    const AttendTile& tile = plan_.tiles[static_cast<size_t>(index)];
    const int rows = tile.n_tokens * group_;
    const size_t floats = AttendState::floats(rows, layout_.padded_dim());
    float* memory = context_.worker_scratch[static_cast<size_t>(worker)].get<float>(2 * floats + kAttendScratchFloats);
    const AttendState state = AttendState::over(memory, rows);
    const AttendState next = AttendState::over(memory + floats, rows);
    const AttendArgs a = args(tile);
    split(a, tile.begin_split, state, memory + 2 * floats);
    for (int i = 1; i < tile.n_splits; ++i) {
      split(a, tile.begin_split + i, next, memory + 2 * floats);
      context_.kernels.attend_merge(rows, layout_.padded_dim(), state, next);
    }
    finish(a, state);
  }

  // The splits shared between workers, then merged in the same order as above.
  void attend_by_splits(int n_tiles, int n_splits) {
    int most_rows = 0;
    for (const AttendTile& tile : plan_.tiles) most_rows = std::max(most_rows, tile.n_tokens * group_);
    const size_t floats = AttendState::floats(most_rows, layout_.padded_dim());
    float* memory = context_.attend_scratch.get<float>(floats * static_cast<size_t>(n_splits));
    const auto state = [&](const AttendTile& tile, int i) {
      return AttendState::over(memory + floats * static_cast<size_t>(tile.first_split + i), tile.n_tokens * group_);
    };
    context_.pool.for_each(n_splits, [&](int index, int worker) {
      const AttendTile& tile = plan_.tiles[static_cast<size_t>(plan_.tile_of_split[static_cast<size_t>(index)])];
      const int i = index - tile.first_split;
      float* scratch = context_.worker_scratch[static_cast<size_t>(worker)].get<float>(kAttendScratchFloats);
      split(args(tile), tile.begin_split + i, state(tile, i), scratch);
    });
    context_.pool.for_each(n_tiles, [&](int index, int) {
      const AttendTile& tile = plan_.tiles[static_cast<size_t>(index)];
      for (int i = 1; i < tile.n_splits; ++i) {
        context_.kernels.attend_merge(tile.n_tokens * group_, layout_.padded_dim(), state(tile, 0), state(tile, i));
      }
      finish(args(tile), state(tile, 0));
    });
  }

  CpuContext& context_;
  const KvLayout& layout_;
  const AttendPlan& plan_;
  const AttentionConfig& config_;
  const std::vector<float>& sinks_;
  size_t layer_offset_;
  const float* q_;
  const float* k_;
  const float* v_;
  float* out_;
  int q_stride_;
  int k_stride_;
  int group_;
  float* rotated_;  // [tokens, q_stride]
};

// The number of an attention among the distinct ones, to which it is added.
size_t kind_of(CpuContext& context, const AttentionConfig& config, int layer) {
  auto& all = context.attentions;
  const auto equal = [&](const AttentionKind& kind) { return kind.config == config; };
  const auto found = std::find_if(all.begin(), all.end(), equal);
  if (found != all.end()) return static_cast<size_t>(found - all.begin());
  all.push_back({config, layer});
  return all.size() - 1;
}

class CpuAttention : public AttentionOp {
 public:
  CpuAttention(CpuContextPtr context, const AttentionConfig& config, const std::vector<float>& sinks, int layer)
      : context_(std::move(context)),
        config_(config),
        sinks_(sinks),
        layer_(static_cast<size_t>(layer)),
        kind_(kind_of(*context_, config, layer)) {}

  mx::array operator()(const mx::array& q, const mx::array& k, const mx::array& v, const Batch& batch) const override {
    const CpuBatch& own = cpu_batch(batch);
    const PoolLayer& stored = own.memory->layers[layer_];
    const auto& pool = static_cast<const HostKvPool&>(*own.memory->pools[static_cast<size_t>(stored.group)]);
    return make_op("attend", q.shape(), {q, k, v}, [&](const float* const* in, float* const* out) {
      AttendTask(*context_, pool.layout(), own.plans[kind_], config_, sinks_, stored.layer, in, out[0]).run();
    });
  }

 private:
  CpuContextPtr context_;
  AttentionConfig config_;
  std::vector<float> sinks_;
  size_t layer_;
  size_t kind_;
};

}  // namespace

std::unique_ptr<AttentionOp> make_attention(CpuContextPtr context, const AttentionConfig& config,
                                            const std::vector<float>& sinks, int layer) {
  return std::make_unique<CpuAttention>(std::move(context), config, sinks, layer);
}

}  // namespace emelex::cpu
