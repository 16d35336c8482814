#include "kernels/cpu/host_kv_store.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/cpu_op.h"

namespace emelex::cpu {
namespace {

// Rows of attention that share one pass over the cache; more reuse a loaded block better, fewer spread better over
// threads.
constexpr int kRowsPerTile = 32;

// Some consecutive tokens of a sequence, for one kv head.
struct Tile {
  int sequence;
  int token;  // index of the first in the step
  int n_tokens;
  int first_position;
  int kv_head;
  int begin_split;  // the first that the tile's tokens see
  int n_splits;
  int first_split;  // splits of the tiles before it
};

// Everything about a step's attention that is the same in all layers.
struct AttendPlan {
  StepPtr step;
  std::shared_ptr<const AttentionConfig> config;
  bool windowed;                                // its layers are those with a window
  std::vector<std::vector<std::byte*>> blocks;  // of each sequence
  std::vector<std::byte*> token_block;          // where each token's k and v go
  std::vector<int> token_slot;
  std::vector<float> cos_sin;  // [tokens, rope.dim]: cosines, then sines
  std::vector<Tile> tiles;
  std::vector<int> tile_of_split;  // [all splits of all tiles]
};

void fill_cos_sin(const Rope& rope, bool longer, int position, float* out) {
  const int half = rope.dim / 2;
  const std::vector<float>& frequencies = rope.frequencies(longer);
  for (int i = 0; i < half; ++i) {
    // In double, since at large positions a float's angle is off by more than a float's cosine.
    const double angle = static_cast<double>(position) * static_cast<double>(frequencies[static_cast<size_t>(i)]);
    out[i] = rope.scale * static_cast<float>(std::cos(angle));
    out[half + i] = rope.scale * static_cast<float>(std::sin(angle));
  }
}

void plan_sequence(AttendPlan& plan, int sequence, int group) {
  const StepSequence& s = plan.step->sequences[static_cast<size_t>(sequence)];
  const auto& blocks = plan.blocks[static_cast<size_t>(sequence)];
  const Rope& rope = plan.config->rope;
  for (int i = 0; i < s.count; ++i) {
    const int position = s.start + i;
    plan.token_block.push_back(blocks[static_cast<size_t>(position / kBlockTokens)]);
    plan.token_slot.push_back(position % kBlockTokens);
    plan.cos_sin.resize(plan.cos_sin.size() + static_cast<size_t>(rope.dim));
    if (rope.dim > 0) fill_cos_sin(rope, s.longer, position, plan.cos_sin.data() + plan.cos_sin.size() - rope.dim);
  }
  const int tokens_per_tile = std::max(1, kRowsPerTile / group);
  for (int i = 0; i < s.count; i += tokens_per_tile) {
    const int n_tokens = std::min(tokens_per_tile, s.count - i);
    const int begin_split = first_seen(s.start + i, plan.config->window) / kSplitTokens;
    const int n_splits = (s.start + i + n_tokens - 1) / kSplitTokens + 1 - begin_split;
    for (int kv_head = 0; kv_head < plan.config->n_kv_heads; ++kv_head) {
      const auto tile = static_cast<int>(plan.tiles.size());
      plan.tiles.push_back({sequence, s.first + i, n_tokens, s.start + i, kv_head, begin_split, n_splits,
                            static_cast<int>(plan.tile_of_split.size())});
      plan.tile_of_split.insert(plan.tile_of_split.end(), static_cast<size_t>(n_splits), tile);
    }
  }
}

// One layer's attention over one step: what a task does. The layer is number `place` of those that lie together.
class AttendTask {
 public:
  AttendTask(CpuContext& context, const KvLayout& layout, const AttendPlan& plan, int place, const float* const* inputs,
             const std::vector<float>& sinks, float* out)
      : context_(context),
        layout_(layout),
        plan_(plan),
        config_(*plan.config),
        layer_offset_(static_cast<size_t>(place) * layout.layer_bytes()),
        q_(inputs[0]),
        k_(inputs[1]),
        v_(inputs[2]),
        sinks_(sinks),
        out_(out),
        q_stride_(config_.n_heads * config_.head_dim),
        k_stride_(config_.n_kv_heads * config_.head_dim),
        group_(config_.n_heads / config_.n_kv_heads) {
    rotated_ = context.task_scratch.get<float>(static_cast<size_t>(plan.step->size()) * static_cast<size_t>(q_stride_));
  }

  void run() {
    // Every token's keys must be there before any token attends.
    context_.pool.for_each(plan_.step->size(), [this](int token, int worker) { rotate_and_store(token, worker); });
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
    const float* cos_sin = plan_.cos_sin.data() + t * static_cast<size_t>(config_.rope.dim);
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

  AttendArgs args(const Tile& tile) const {
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
    const Tile& tile = plan_.tiles[static_cast<size_t>(index)];
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
    for (const Tile& tile : plan_.tiles) most_rows = std::max(most_rows, tile.n_tokens * group_);
    const size_t floats = AttendState::floats(most_rows, layout_.padded_dim());
    float* memory = context_.attend_scratch.get<float>(floats * static_cast<size_t>(n_splits));
    const auto state = [&](const Tile& tile, int i) {
      return AttendState::over(memory + floats * static_cast<size_t>(tile.first_split + i), tile.n_tokens * group_);
    };
    context_.pool.for_each(n_splits, [&](int index, int worker) {
      const Tile& tile = plan_.tiles[static_cast<size_t>(plan_.tile_of_split[static_cast<size_t>(index)])];
      const int i = index - tile.first_split;
      float* scratch = context_.worker_scratch[static_cast<size_t>(worker)].get<float>(kAttendScratchFloats);
      split(args(tile), tile.begin_split + i, state(tile, i), scratch);
    });
    context_.pool.for_each(n_tiles, [&](int index, int) {
      const Tile& tile = plan_.tiles[static_cast<size_t>(index)];
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
  size_t layer_offset_;
  const float* q_;
  const float* k_;
  const float* v_;
  const std::vector<float>& sinks_;
  float* out_;
  int q_stride_;
  int k_stride_;
  int group_;
  float* rotated_;  // [tokens, q_stride]
};

using Memory = std::unique_ptr<std::byte, decltype(&std::free)>;

Memory zeroed(size_t bytes) {
  Memory memory(static_cast<std::byte*>(std::calloc(1, bytes)), std::free);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

class HostKvStore : public KvStore {
 public:
  HostKvStore(CpuContextPtr context, const KvShape& shape)
      : context_(std::move(context)), shape_(shape), layout_{shape.n_kv_heads, shape.head_dim, shape.dtype} {
    int counts[2] = {0, 0};
    for (int layer = 0; layer < shape.n_layers; ++layer) places_.push_back(counts[shape.windowed(layer) ? 1 : 0]++);
    block_bytes_ = layout_.layer_bytes() * static_cast<size_t>(counts[0]);
    windowed_bytes_ = layout_.layer_bytes() * static_cast<size_t>(counts[1]);
  }

  void grow(int n_blocks, int n_windowed) override {
    while (static_cast<int>(blocks_.size()) < n_blocks) {
      blocks_.push_back({Memory(nullptr, std::free), Memory(nullptr, std::free)});
      if (block_bytes_ == 0) continue;
      try {
        blocks_.back().all = zeroed(block_bytes_);
      } catch (const std::bad_alloc&) {
        blocks_.pop_back();
        throw;
      }
    }
    spare_.reserve(static_cast<size_t>(n_windowed));
    for (; windowed_bytes_ > 0 && n_windowed_ < n_windowed; ++n_windowed_) spare_.push_back(zeroed(windowed_bytes_));
  }

  void take_windowed(int block) override {
    if (windowed_bytes_ == 0) return;
    blocks_[static_cast<size_t>(block)].windowed = std::move(spare_.back());
    spare_.pop_back();
  }

  void drop_windowed(int block) override {
    if (windowed_bytes_ > 0) spare_.push_back(std::move(blocks_[static_cast<size_t>(block)].windowed));
  }

  int64_t bytes() const override {
    return static_cast<int64_t>(blocks_.size() * block_bytes_) + n_windowed_ * static_cast<int64_t>(windowed_bytes_);
  }

  void copy_block(int from, int to, int) override {
    // Whole, since a block's layers and heads are apart; copies are rare.
    const Block& source = blocks_[static_cast<size_t>(from)];
    const Block& target = blocks_[static_cast<size_t>(to)];
    if (block_bytes_ > 0) std::memcpy(target.all.get(), source.all.get(), block_bytes_);
    if (windowed_bytes_ > 0) std::memcpy(target.windowed.get(), source.windowed.get(), windowed_bytes_);
  }

  mx::array attend(const std::shared_ptr<const AttentionConfig>& config, int layer, const mx::array& q,
                   const mx::array& k, const mx::array& v, const std::vector<float>& sinks,
                   const StepPtr& step) override {
    return make_op("attend", q.shape(), {q, k, v}, [&](const float* const* in, float* const* out) {
      AttendTask(*context_, layout_, *plan(step, config, shape_.windowed(layer)), places_[static_cast<size_t>(layer)],
                 in, sinks, out[0])
          .run();
    });
  }

 private:
  // Layers ask with the same step one after another, so the last plans are kept: one for each distinct config.
  const AttendPlan* plan(const StepPtr& step, const std::shared_ptr<const AttentionConfig>& config, bool windowed) {
    if (!plans_.empty() && plans_.front()->step != step) plans_.clear();
    for (const auto& p : plans_) {
      if (p->config == config && p->windowed == windowed) return p.get();
    }
    auto p = std::make_unique<AttendPlan>();
    p->step = step;
    p->config = config;
    p->windowed = windowed;
    for (size_t i = 0; i < step->sequences.size(); ++i) {
      auto& pointers = p->blocks.emplace_back();
      for (const int32_t number : step->sequences[i].blocks) {
        const Block& block = blocks_[static_cast<size_t>(number)];
        pointers.push_back((windowed ? block.windowed : block.all).get());
      }
      plan_sequence(*p, static_cast<int>(i), config->n_heads / config->n_kv_heads);
    }
    plans_.push_back(std::move(p));
    return plans_.back().get();
  }

  struct Block {
    Memory all;       // of the layers without a window
    Memory windowed;  // of those with one; nullptr where it was dropped
  };

  CpuContextPtr context_;
  KvShape shape_;
  KvLayout layout_;
  std::vector<int> places_;  // of each layer among those with a window, or without
  size_t block_bytes_ = 0;
  size_t windowed_bytes_ = 0;
  std::vector<Block> blocks_;
  std::vector<Memory> spare_;  // of blocks' windowed layers
  int n_windowed_ = 0;         // of those made, spare ones among them
  std::vector<std::unique_ptr<const AttendPlan>> plans_;
};

}  // namespace

std::unique_ptr<KvStore> make_host_kv_store(CpuContextPtr context, const KvShape& shape) {
  return std::make_unique<HostKvStore>(std::move(context), shape);
}

}  // namespace emelex::cpu
