#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cache/kv_cache.h"
#include "emelex/engine.h"
#include "engine/choose_backend.h"
#include "models/model.h"

namespace emelex {

// Which tokens of those given get logits.
enum class Want { nothing, last, all };

// Tokens that a sequence adds in a step.
struct Run {
  SequenceId sequence;
  std::span<const TokenId> tokens;
  bool long_rope = false;  // Runner::needs_long_rope() of what the sequence is part of
  Want want = Want::last;
};

// What a Runner has computed so far.
struct RunnerCounters {
  int64_t steps = 0;                // forward passes
  int64_t vocabulary_products = 0;  // of them, those with a product of the vocabulary's matrix
};

// A model with its cache, computing steps one at a time. All of it belongs to the thread that made it, since MLX's
// streams do; Engine gives it one of its own.
//
// A step that fails throws Error and leaves each sequence with the tokens that it had before the step, or with none
// where the backend has lost what its cache held (KvCache::recover).
class Runner {
 public:
  Runner(std::shared_ptr<const Weights> weights, const LoadOptions& options);

  const ModelInfo& info() const { return info_; }
  KvCache& cache() { return *cache_; }

  // Adds tokens to a sequence, in chunks of prefill_chunk(). → logits [wanted tokens, vocab_size], valid until the next
  // call
  std::span<float> append(SequenceId sequence, std::span<const TokenId> tokens, Want want = Want::last);

  // The same of a part of a prompt. `long_rope` is needs_long_rope() of the whole prompt. `cancelled` is asked before
  // each chunk: once it is true, the chunks that are computed stay in the cache, and the result is empty.
  std::span<float> append_part(SequenceId sequence, std::span<const TokenId> tokens, bool long_rope, Want want,
                               const std::function<bool()>& cancelled = {});

  // Adds the last of `tokens`, which are all of the sequence's. When the sequence crosses LongRoPE's limit with it, all
  // of its tokens are computed again. → logits [vocab_size], valid until the next call
  std::span<float> append_last(SequenceId sequence, std::span<const TokenId> tokens);

  // A step that is put together run by run, of sequences that differ. Has room in the cache for each. When it fails,
  // and when it ends without being computed, it takes the tokens from the cache again.
  class Pass {
   public:
    explicit Pass(Runner& runner) : runner_(&runner) {}
    ~Pass() { take_back(); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    // The run's tokens must stay until the pass is computed. Throws Error(out_of_memory), with the pass unchanged, when
    // the cache has no room.
    void add(const Run& run);
    int runs() const { return static_cast<int>(runs_.size()); }
    int tokens() const { return step_.size(); }

    // Computes it. → logits [tokens wanted, vocab_size] in the order of the runs, valid until the next step
    std::span<float> logits();
    // The same, → the likeliest token of each, as Backend::likeliest().
    std::span<const TokenId> likeliest();

   private:
    friend class Runner;
    void take_back() noexcept;

    Runner* runner_;
    Step step_;
    std::vector<Run> runs_;
    std::vector<int> lengths_;  // [runs] of the sequences before
  };

  // Whether LongRoPE's frequencies for long sequences apply to a sequence of so many tokens.
  bool needs_long_rope(int length) const { return long_rope_after_ > 0 && length > long_rope_after_; }

  // append_last() where the likeliest token alone is wanted, which on a GPU needs not bring the logits to the host. →
  // Backend::likeliest()
  TokenId append_last_likeliest(SequenceId sequence, std::span<const TokenId> tokens);

  // Adds one token to each of several sequences. → logits [sequences, vocab_size], valid until the next call. Throws
  // Error(unsupported) for a sequence that crosses LongRoPE's limit: only append_last can compute it again.
  std::span<float> decode(std::span<const SequenceId> sequences, std::span<const TokenId> tokens);
  // The same, → the likeliest token of each sequence, valid until the next call.
  std::span<const TokenId> decode_likeliest(std::span<const SequenceId> sequences, std::span<const TokenId> tokens);

  const RunnerCounters& counters() const { return counters_; }
  std::vector<std::span<const std::byte>> packed_weights() const { return backend_->packed_weights(); }

  int vocab_size() const { return model_->config().vocab_size; }
  int prefill_chunk() const { return prefill_chunk_; }

 private:
  void add_decodes(Pass& pass, std::span<const SequenceId> sequences, std::span<const TokenId> tokens);
  // Computes the pass. → what `fetch` brings of its logits
  template <class Result>
  Result compute(Pass& pass, Result (Backend::*fetch)());
  void build(const std::shared_ptr<const Weights>& weights, const LoadOptions& options, const BackendChoice& choice);
  void fill_info(const Weights& weights, const LoadOptions& options);
  void make_cache(const ModelInput& source, const LoadOptions& options, const BackendChoice& choice);
  void limit_memory(const ModelInput& source, const ModelConfig& config, const LoadOptions& options,
                    const BackendChoice& choice);
  int64_t float16_copy(const Weights& weights, int64_t need, int64_t limit) const;

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<KvCache> cache_;
  ModelInfo info_;
  int prefill_chunk_ = 0;
  int long_rope_after_ = 0;  // Rope's
  RunnerCounters counters_;
  std::vector<float> gathered_;  // logits of several chunks
};

}  // namespace emelex
