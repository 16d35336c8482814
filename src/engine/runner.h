#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "cache/kv_cache.h"
#include "emelex/engine.h"
#include "engine/choose_route.h"
#include "models/model.h"

namespace emelex {

// A model with its cache, computing steps one at a time. All of it belongs to the thread that made it, since MLX's
// streams do; Engine gives it one of its own.
class Runner {
 public:
  Runner(std::shared_ptr<const Weights> weights, const LoadOptions& options);

  const ModelInfo& info() const { return info_; }
  KvCache& cache() { return *cache_; }

  // Adds tokens to a sequence, in chunks. Gives the logits [vocab_size] of the last token, valid until the next call;
  // with `all_logits`, appends those of every token to it instead.
  std::span<float> append(SequenceId sequence, std::span<const TokenId> tokens,
                          std::vector<float>* all_logits = nullptr);
  // The same of a part of a prompt that will be `longer` or not, as is_longer says.
  std::span<float> append_part(SequenceId sequence, std::span<const TokenId> tokens, bool longer,
                               std::vector<float>* all_logits = nullptr);

  // Adds the last of `tokens`, which are all of the sequence's. Where LongRoPE's other frequencies begin with it, all
  // are computed again. Gives its logits, as append does.
  std::span<float> append_last(SequenceId sequence, std::span<const TokenId> tokens);

  // Whether a sequence of so many tokens turns by LongRoPE's frequencies for longer ones.
  bool is_longer(int length) const { return longer_than_ > 0 && length > longer_than_; }

  // Adds one token to each of several sequences. → logits [sequences, vocab_size], valid until the next call
  std::span<float> decode(std::span<const SequenceId> sequences, std::span<const TokenId> tokens);

  std::vector<std::span<const std::byte>> packed_weights() const { return route_->packed_weights(); }

  int vocab_size() const { return model_->config().vocab_size; }
  int prefill_chunk() const { return prefill_chunk_; }

 private:
  std::span<float> compute(Step step);
  void build(const std::shared_ptr<const Weights>& weights, const LoadOptions& options, const RouteChoice& choice);
  void fill_info(const Weights& weights, const LoadOptions& options);
  int max_blocks(const ModelInput& source, const LoadOptions& options, const RouteChoice& choice);

  std::unique_ptr<Route> route_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<KvCache> cache_;
  ModelInfo info_;
  int prefill_chunk_ = 0;
  int longer_than_ = 0;  // Rope's
};

}  // namespace emelex
