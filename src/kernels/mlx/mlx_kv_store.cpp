#include "kernels/mlx/mlx_kv_store.h"

#include <mlx/fast.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "emelex/error.h"
#include "kernels/mlx/mlx_scaling.h"

namespace emelex::mlx_route {
namespace {

// How a step lies in the pools of some layers.
struct Places {
  std::vector<int32_t> slots;  // [tokens] rows of a pool
  bool consecutive = true;     // slots follow one another
  // For each sequence the places of its blocks up to where it reaches, from number `first` on.
  struct Blocks {
    int first = 0;
    std::vector<int32_t> places;
    std::optional<mx::array> gather;  // nothing where the places follow one another
  };
  std::vector<Blocks> sequences;
};

// How a step lies in the cache, worked out once for all layers.
struct Placement {
  StepPtr step;
  mx::array positions;  // [tokens]
  Places all;           // layers without a window
  Places windowed;
};

bool consecutive(const std::vector<int32_t>& numbers) {
  return std::adjacent_find(numbers.begin(), numbers.end(), [](int32_t a, int32_t b) { return b != a + 1; }) ==
         numbers.end();
}

mx::array int_array(const std::vector<int32_t>& numbers) {
  return mx::array(numbers.data(), {static_cast<int>(numbers.size())}, mx::int32);
}

// place(block): where it lies in the pools, or -1 where it was dropped, as the first ones of a sequence may be.
template <class Place>
Places find_places(const Step& step, const Place& place) {
  Places places;
  for (const StepSequence& sequence : step.sequences) {
    Places::Blocks blocks;
    const int n = (sequence.start + sequence.count + kBlockTokens - 1) / kBlockTokens;
    for (int i = 0; i < n; ++i) {
      const int32_t at = place(sequence.blocks[static_cast<size_t>(i)]);
      if (at >= 0) {
        blocks.places.push_back(at);
      } else {
        blocks.places.clear();
        blocks.first = i + 1;
      }
    }
    for (int position = sequence.start; position < sequence.start + sequence.count; ++position) {
      const int32_t at = blocks.places[static_cast<size_t>(position / kBlockTokens - blocks.first)];
      places.slots.push_back(at * kBlockTokens + position % kBlockTokens);
    }
    if (!consecutive(blocks.places)) blocks.gather = int_array(blocks.places);
    places.sequences.push_back(std::move(blocks));
  }
  places.consecutive = consecutive(places.slots);
  return places;
}

mx::array positions_of(const Step& step) {
  std::vector<int32_t> positions;
  for (const StepSequence& sequence : step.sequences) {
    for (int i = 0; i < sequence.count; ++i) positions.push_back(sequence.start + i);
  }
  return int_array(positions);
}

using ConfigPtr = std::shared_ptr<const AttentionConfig>;

class MlxKvStore : public KvStore {
 public:
  MlxKvStore(MlxContextPtr context, const KvShape& shape)
      : context_(std::move(context)),
        shape_(shape),
        dtype_(shape.dtype == KvDtype::f16 ? mx::float16 : mx::float32),
        none_(mx::zeros({0, shape.n_kv_heads, shape.head_dim}, dtype_, context_->stream)) {
    pools_.assign(static_cast<size_t>(2 * shape.n_layers), none_);
  }

  void grow(int n_blocks, int n_windowed) override {
    const int all = grow_pools(n_blocks, n_blocks_, false);
    places_.resize(static_cast<size_t>(all), -1);
    n_blocks_ = all;
    const int windowed = grow_pools(n_windowed, n_windowed_, true);
    spare_.reserve(static_cast<size_t>(windowed));
    while (n_windowed_ < windowed) spare_.push_back(n_windowed_++);
  }

  void take_windowed(int block) override {
    places_[static_cast<size_t>(block)] = spare_.back();
    spare_.pop_back();
  }

  void drop_windowed(int block) override { spare_.push_back(std::exchange(places_[static_cast<size_t>(block)], -1)); }

  // A step writes into the pools' own memory, so those of one that failed can't be told from garbage.
  bool recover() noexcept override {
    std::fill(pools_.begin(), pools_.end(), none_);
    placement_.reset();
    places_.clear();
    spare_.clear();
    n_blocks_ = 0;
    n_windowed_ = 0;
    return false;
  }

  int64_t bytes() const override {
    int64_t bytes = 0;
    for (const mx::array& pool : pools_) bytes += static_cast<int64_t>(pool.nbytes());
    return bytes;
  }

  void copy_block(int from, int to, int n_tokens) override {
    for (size_t i = 0; i < pools_.size(); ++i) {
      auto& pool = pools_[i];
      const int source = place(from, shape_.windowed(static_cast<int>(i / 2))) * kBlockTokens;
      const int target = place(to, shape_.windowed(static_cast<int>(i / 2))) * kBlockTokens;
      const auto rows = mx::slice(pool, {source, 0, 0}, row_end(source + n_tokens), context_->stream);
      pool = mx::slice_update(pool, rows, {target, 0, 0}, row_end(target + n_tokens), context_->stream);
    }
    mx::eval(pools_);
  }

  mx::array attend(const std::shared_ptr<const AttentionConfig>& config, int layer, const mx::array& q,
                   const mx::array& k, const mx::array& v, const std::vector<float>& sinks,
                   const StepPtr& step) override {
    if (!placement_ || placement_->step != step) placement_ = placement(step);
    const Places& places = shape_.windowed(layer) ? placement_->windowed : placement_->all;
    const auto rotated_q = rotate(config, config->n_heads, q);  // [tokens, n_heads, head_dim]
    write(places, 2 * layer, rotate(config, config->n_kv_heads, k));
    write(places, 2 * layer + 1, mx::reshape(v, {-1, config->n_kv_heads, config->head_dim}, context_->stream));

    std::optional<mx::array> sink_scores;
    if (!sinks.empty()) sink_scores = mx::array(sinks.data(), {config->n_heads}, mx::float32);
    std::vector<mx::array> attended;
    for (size_t i = 0; i < step->sequences.size(); ++i)
      attended.push_back(attend_sequence(*config, layer, places, rotated_q, sink_scores, i));
    return attended.size() == 1 ? attended.front() : mx::concatenate(attended, 0, context_->stream);
  }

 private:
  int place(int block, bool windowed) const { return windowed ? places_[static_cast<size_t>(block)] : block; }

  Placement placement(const StepPtr& step) const {
    const auto of = [&](bool windowed) {
      return find_places(*step, [&](int block) { return place(block, windowed); });
    };
    return {step, positions_of(*step), of(false), of(true)};
  }

  // Makes room for `wanted` blocks in the pools of layers with or without a window, and tells for how many there is
  // then. Arrays are immutable, so growing copies them: by halves as much again. One pool after another, so that few
  // are in memory twice; where one fails, those before it stay larger than is known, which does no harm.
  int grow_pools(int wanted, int there, bool windowed) {
    if (wanted <= there) return there;
    const int blocks = std::max({wanted, there + there / 2, 4});
    for (int i = 0; i < 2 * shape_.n_layers; ++i) {
      const int more = blocks * kBlockTokens - pool(i).shape(0);
      if (shape_.windowed(i / 2) != windowed || more <= 0) continue;
      auto grown = mx::zeros({more, shape_.n_kv_heads, shape_.head_dim}, dtype_, context_->stream);
      if (pool(i).shape(0) > 0) grown = mx::concatenate({pool(i), grown}, 0, context_->stream);
      mx::eval(grown);
      pool(i) = grown;
    }
    return blocks;
  }

  mx::array& pool(int i) { return pools_[static_cast<size_t>(i)]; }
  mx::Shape row_end(int row) const { return {row, shape_.n_kv_heads, shape_.head_dim}; }

  // x [tokens, heads · head_dim] → [tokens, heads, head_dim], each token turned by its position
  mx::array rotate(const ConfigPtr& config, int heads, const mx::array& x) {
    const std::vector<StepSequence>& sequences = placement_->step->sequences;
    const bool longer = sequences.front().longer;
    const auto other = [longer](const StepSequence& s) { return s.longer != longer; };
    if (std::none_of(sequences.begin(), sequences.end(), other)) {
      return rotate(config, heads, x, placement_->positions, longer);
    }
    std::vector<mx::array> parts;
    for (const StepSequence& s : sequences) {
      const auto rows = mx::slice(x, {s.first, 0}, {s.first + s.count, x.shape(1)}, context_->stream);
      const auto positions = mx::slice(placement_->positions, {s.first}, {s.first + s.count}, context_->stream);
      parts.push_back(rotate(config, heads, rows, positions, s.longer));
    }
    return mx::concatenate(parts, 0, context_->stream);
  }

  mx::array rotate(const ConfigPtr& config, int heads, const mx::array& x, const mx::array& positions, bool longer) {
    const Rope& rope = config->rope;
    if (rope.dim == 0) return mx::reshape(x, {-1, heads, config->head_dim}, context_->stream);
    const auto split = mx::reshape(x, {-1, heads, 1, config->head_dim}, context_->stream);
    auto turned = mx::fast::rope(split, rope.dim, rope.interleaved, std::nullopt, 1.0F, positions,
                                 wavelengths(config, longer), context_->stream);
    if (rope.scale != 1.0F) {
      std::vector<float> scales(static_cast<size_t>(config->head_dim), 1.0F);
      std::fill_n(scales.begin(), rope.dim, rope.scale);
      const mx::array factors(scales.data(), {config->head_dim}, mx::float32);
      turned = mx::multiply(turned, mx::astype(factors, x.dtype(), context_->stream), context_->stream);
    }
    return mx::reshape(turned, {-1, heads, config->head_dim}, context_->stream);
  }

  // MLX wants what a position is divided by.
  const mx::array& wavelengths(const ConfigPtr& config, bool longer) {
    const auto known = wavelengths_.find({config, longer});
    if (known != wavelengths_.end()) return known->second;
    std::vector<float> values;
    for (const float frequency : config->rope.frequencies(longer)) values.push_back(1.0F / frequency);
    const mx::array lengths(values.data(), {static_cast<int>(values.size())}, mx::float32);
    return wavelengths_.emplace(std::pair(config, longer), lengths).first->second;
  }

  // The new array takes the old one's memory, since nothing else holds it; whoever reads it comes after the write.
  void write(const Places& places, int i, const mx::array& rows) {
    const auto stored = dtype_ == mx::float16 ? to_half(*context_, rows) : rows;
    const auto& slots = places.slots;
    const mx::array old = std::move(pool(i));
    if (places.consecutive) {
      pool(i) = mx::slice_update(old, stored, {slots.front(), 0, 0}, row_end(slots.back() + 1), context_->stream);
    } else {
      pool(i) = mx::scatter(old, int_array(slots), mx::expand_dims(stored, 1, context_->stream), 0, context_->stream);
    }
  }

  // Rows [begin, end) of a sequence: [1, kv_heads, end - begin, head_dim]
  mx::array read(const Places::Blocks& blocks, int i, int begin, int end) {
    mx::array rows = pool(i);
    int first = blocks.places.front() * kBlockTokens;
    if (blocks.gather) {
      rows = mx::reshape(rows, {-1, kBlockTokens, shape_.n_kv_heads, shape_.head_dim}, context_->stream);
      rows = mx::take(rows, *blocks.gather, 0, context_->stream);
      rows = mx::reshape(rows, {-1, shape_.n_kv_heads, shape_.head_dim}, context_->stream);
      first = 0;
    }
    first -= blocks.first * kBlockTokens;
    rows = mx::slice(rows, {first + begin, 0, 0}, row_end(first + end), context_->stream);
    return mx::expand_dims(mx::transpose(rows, {1, 0, 2}, context_->stream), 0, context_->stream);
  }

  // → [count, n_heads · head_dim]
  mx::array attend_sequence(const AttentionConfig& config, int layer, const Places& places, const mx::array& q,
                            const std::optional<mx::array>& sinks, size_t sequence) {
    const StepSequence& s = placement_->step->sequences[sequence];
    auto queries = q;
    if (s.count != q.shape(0)) {
      queries = mx::slice(q, {s.first, 0, 0}, {s.first + s.count, config.n_heads, config.head_dim}, context_->stream);
    }
    queries = mx::expand_dims(mx::transpose(queries, {1, 0, 2}, context_->stream), 0, context_->stream);
    const int end = s.start + s.count;
    const int begin = config.window > 0 ? std::max(0, s.start - config.window + 1) : 0;
    const Places::Blocks& blocks = places.sequences[sequence];
    const auto out = attention(config, queries, read(blocks, 2 * layer, begin, end),
                               read(blocks, 2 * layer + 1, begin, end), visible(config, s, begin), sinks);
    const auto rows = mx::reshape(mx::transpose(out, {0, 2, 1, 3}, context_->stream),
                                  {s.count, config.n_heads * config.head_dim}, context_->stream);
    return mx::astype(rows, q.dtype(), context_->stream);
  }

  // Which of the positions from `begin` on a sequence's tokens see, [count, positions]; nothing where those are all
  // up to their own.
  std::optional<mx::array> visible(const AttentionConfig& config, const StepSequence& s, int begin) const {
    const int end = s.start + s.count;
    const bool windowed = config.window > 0 && end - begin > config.window;
    if (!windowed && (config.soft_cap == 0.0F || s.count == 1)) return std::nullopt;
    const auto query = mx::expand_dims(mx::arange(s.start, end, mx::int32, context_->stream), 1, context_->stream);
    const auto key = mx::arange(begin, end, mx::int32, context_->stream);
    const auto before = mx::less_equal(key, query, context_->stream);
    if (!windowed) return before;
    const auto oldest = mx::subtract(query, mx::array(config.window), context_->stream);
    return mx::logical_and(before, mx::greater(key, oldest, context_->stream), context_->stream);
  }

  // q [1, n_heads, count, head_dim], k and v [1, n_kv_heads, positions, head_dim] → the shape of q
  mx::array attention(const AttentionConfig& config, const mx::array& q, const mx::array& k, const mx::array& v,
                      const std::optional<mx::array>& mask, const std::optional<mx::array>& sinks) {
    if (config.soft_cap > 0.0F && sinks) {
      throw Error(ErrorCode::unsupported, "[mlx] expected a soft cap of scores or sinks, got both");
    }
    if (config.soft_cap > 0.0F) return capped_attention(config, q, k, v, mask);
    const char* mode = mask ? "array" : q.shape(2) > 1 ? "causal" : "";
    if (context_->dtype == mx::float32) {
      return mx::fast::scaled_dot_product_attention(q, k, v, config.scale, mode, mask, sinks, false, context_->stream);
    }
    // Scaled before it is rounded, so that a query is in float16's range as its scores are.
    const auto queries = to_half(*context_, mx::multiply(q, mx::array(config.scale), context_->stream));
    std::optional<mx::array> half_sinks;
    if (sinks) half_sinks = mx::astype(*sinks, mx::float16, context_->stream);
    return mx::fast::scaled_dot_product_attention(queries, k, v, 1.0F, mode, mask, half_sinks, false, context_->stream);
  }

  // MLX's fused kernel has no soft cap.
  mx::array capped_attention(const AttentionConfig& config, const mx::array& q, const mx::array& k, const mx::array& v,
                             const std::optional<mx::array>& mask) {
    const mx::Stream& stream = context_->stream;
    const int group = config.n_heads / config.n_kv_heads;
    const auto cap = mx::array(config.soft_cap);
    const auto grouped = mx::reshape(mx::astype(q, mx::float32, stream),
                                     {config.n_kv_heads, group, q.shape(2), config.head_dim}, stream);
    const auto keys = mx::transpose(mx::astype(k, mx::float32, stream), {1, 0, 3, 2}, stream);
    auto scores = mx::multiply(mx::matmul(grouped, keys, stream), mx::array(config.scale), stream);
    scores = mx::multiply(mx::tanh(mx::divide(scores, cap, stream), stream), cap, stream);
    if (mask) scores = mx::where(*mask, scores, mx::array(-std::numeric_limits<float>::infinity()), stream);
    const auto values = mx::transpose(mx::astype(v, mx::float32, stream), {1, 0, 2, 3}, stream);
    const auto out = mx::matmul(mx::softmax(scores, -1, true, stream), values, stream);
    return mx::reshape(out, q.shape(), stream);
  }

  MlxContextPtr context_;
  KvShape shape_;
  mx::Dtype dtype_;
  mx::array none_;  // a pool without blocks
  int n_blocks_ = 0;
  int n_windowed_ = 0;                // blocks that the pools of windowed layers have room for
  std::vector<int32_t> places_ = {};  // [blocks], in the pools of windowed layers; -1: none
  std::vector<int32_t> spare_ = {};
  std::vector<mx::array> pools_;  // keys of layer 0, values of layer 0, keys of layer 1, …
  std::optional<Placement> placement_;
  std::map<std::pair<ConfigPtr, bool>, mx::array> wavelengths_;
};

}  // namespace

std::unique_ptr<KvStore> make_mlx_kv_store(MlxContextPtr context, const KvShape& shape) {
  return std::make_unique<MlxKvStore>(std::move(context), shape);
}

}  // namespace emelex::mlx_route
