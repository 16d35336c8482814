#include "engine/runner.h"

#include <mlx/memory.h>
#include <mlx/transforms.h>
#include <mlx/version.h>

#include <algorithm>
#include <utility>

#include "base/faults.h"
#include "base/strings.h"
#include "base/thread_pool.h"
#include "engine/memory_limit.h"
#include "engine/mlx_failures.h"
#include "kernels/cuda/cuda_route.h"
#include "models/active_weights.h"
#include "models/model_config.h"
#include "weights/weight_totals.h"

static_assert(MLX_VERSION_MAJOR == 0 && MLX_VERSION_MINOR == 32, "custom primitives are written against MLX 0.32");

namespace emelex {
namespace {

// The memory that a step takes grows with the chunk. On a CPU 128 tokens are as fast as more (SmolLM2-135M on two
// cores: 1,695 tokens/s, and 1,650 with 512).
constexpr int kCpuPrefillChunk = 128;
constexpr int kGpuPrefillChunk = 512;
constexpr int kCudaPrefillChunk = 2048;  // weights are unpacked once a chunk

int default_chunk(const RouteChoice& choice) {
  if (choice.kernels == KernelRoute::cuda) return kCudaPrefillChunk;
  return choice.device == Device::gpu ? kGpuPrefillChunk : kCpuPrefillChunk;
}

// Tokens that a session of a model which was trained for so many can hold.
int session_context(const LoadOptions& options, int model_context) {
  return options.context > 0 ? options.context : std::min(model_context, kDefaultContext);
}

void check_options(const LoadOptions& options) {
  if (options.threads < 0 || options.threads > kMostThreads) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[engine] expected 1 to ", kMostThreads, " threads, got ", options.threads));
  }
  if (options.context < 0) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[engine] expected a context of 1 or more, got ", options.context));
  }
  if (options.memory_limit < 0 || options.gpu_memory_limit < 0) {
    throw Error(ErrorCode::invalid_argument, "[engine] expected memory limits of 0 or more bytes, got fewer");
  }
  if (options.prefill_chunk < 0) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[engine] expected a prefill chunk of 0 or more, got ", options.prefill_chunk));
  }
}

KvDtype kv_dtype(KvType type, const RouteChoice& choice) {
  switch (type) {
    case KvType::f16:
      return KvDtype::f16;
    case KvType::f32:
      return KvDtype::f32;
    case KvType::q8_0:
      if (choice.kernels != KernelRoute::mlx) return KvDtype::q8_0;
      throw Error(ErrorCode::invalid_argument,
                  "[engine] expected a KV cache of f16 or f32 with the mlx kernels, got q8_0");
    case KvType::automatic:
      break;
  }
  return choice.exact() ? KvDtype::f32 : KvDtype::f16;
}

KvShape kv_shape(const ModelConfig& config, KvType type, const RouteChoice& choice) {
  return {config.n_layers, config.attention.n_kv_heads, config.attention.head_dim, kv_dtype(type, choice),
          config.windows};
}

}  // namespace

Runner::Runner(std::shared_ptr<const Weights> weights, const LoadOptions& options) {
  check_options(options);
  const RouteChoice choice = choose_route(options);
  info_.threads = options.threads > 0 ? options.threads : physical_cores();
  try {
    build(weights, options, choice);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported || !choice.may_fall_back) throw;
    info_.not_cuda = error.what();
    cache_.reset();
    model_.reset();
    route_.reset();
    build(weights, options, without_cuda(choice));
  }
}

void Runner::build(const std::shared_ptr<const Weights>& weights, const LoadOptions& options,
                   const RouteChoice& choice) {
  const bool gpu = choice.device == Device::gpu;
  prefill_chunk_ = options.prefill_chunk > 0 ? options.prefill_chunk : default_chunk(choice);
  info_.device = gpu ? "gpu" : "cpu";
  route_ = make_route(choice, info_.threads);
  const ModelInput source{weights, *route_, options.context > 0 ? options.context : kDefaultContext};
  const int blocks = max_blocks(source, options, choice);
  model_ = make_model(source);
  fill_info(*weights, options);

  const ModelConfig& config = model_->config();
  const KvShape shape = kv_shape(config, options.kv_type, choice);
  longer_than_ = config.attention.rope.longer_than;
  info_.kv_bytes_per_token = shape.bytes_per_token();
  const int window = *std::max_element(config.windows.begin(), config.windows.end());
  cache_ = std::make_unique<KvCache>(route_->kv_store(shape), blocks, window);
}

// The blocks that all sessions share; how many sessions there are is the caller's to bound. With a memory limit, those
// that it leaves room for.
int Runner::max_blocks(const ModelInput& source, const LoadOptions& options, const RouteChoice& choice) {
  constexpr int kMostBlocks = 1 << 24;
  const bool gpu = choice.device == Device::gpu;
  const int64_t limit = gpu ? options.gpu_memory_limit : options.memory_limit;
  if (limit == 0) return kMostBlocks;
  // Whether the architecture may have experts is for make_model to say.
  const ModelConfig config = read_model_config(source, Mixtures::some);
  const bool cuda = choice.kernels == KernelRoute::cuda;
  KvShape shape = kv_shape(config, options.kv_type, choice);
  if (cuda) shape.head_dim = cuda::cached_head_dim(shape.head_dim);
  MemoryNeed need{cuda ? cuda::gpu_bytes(*source.weights) : total_weights(*source.weights).bytes,
                  shape.bytes_per_token(),
                  cuda ? estimate_cuda_work(config, prefill_chunk_) : estimate_work(config, prefill_chunk_)};
  const int context = session_context(options, config.context_length);
  const int blocks_of_one = (context + kBlockTokens - 1) / kBlockTokens;
  // Shorter chunks are slower, but take less.
  while (cuda && options.prefill_chunk == 0 && prefill_chunk_ > kCpuPrefillChunk &&
         need.with_context(blocks_of_one * kBlockTokens) > limit) {
    prefill_chunk_ /= 2;
    need.work = estimate_cuda_work(config, prefill_chunk_);
  }
  check_memory_limit(need, blocks_of_one * kBlockTokens, limit, source.weights->path().filename().string(),
                     gpu ? "gpu_memory_limit" : "memory_limit");
  if (gpu && !cuda) mx::set_memory_limit(static_cast<size_t>(limit));  // past it MLX gives back what it keeps for later
  return static_cast<int>(std::min<int64_t>(kMostBlocks, need.tokens_within(limit) / kBlockTokens));
}

void Runner::fill_info(const Weights& weights, const LoadOptions& options) {
  const ModelConfig& config = model_->config();
  info_.name = weights.metadata().string("general.name").value_or(weights.path().stem().string());
  info_.architecture = weights.metadata().require_string("general.architecture");
  const WeightTotals totals = total_weights(weights);
  info_.quantization = totals.main_type;
  info_.parameters = totals.parameters;
  info_.weight_bytes = totals.bytes;
  info_.active_bytes = active_bytes(weights);
  info_.experts = config.n_experts;
  info_.model_context = config.context_length;
  info_.context = session_context(options, config.context_length);
  if (info_.context > config.context_length) {
    throw Error(ErrorCode::invalid_argument, str_cat("[engine] expected a context of at most the model's ",
                                                     config.context_length, " tokens, got ", info_.context));
  }
  info_.kernels = route_->name();
  info_.instruction_set = route_->instruction_set();
}

// A step that is put together from runs of tokens. Unless it is committed, its end takes the tokens from the cache
// again.
class Runner::Batch {
 public:
  explicit Batch(KvCache& cache) : cache_(cache) {}
  ~Batch() {
    for (const auto& [id, length] : before_) cache_.trim(id, length);
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void add(SequenceId id, std::span<const TokenId> tokens, bool longer, Want want) {
    const int first = step_.size();
    const auto n = static_cast<int>(tokens.size());
    before_.emplace_back(id, cache_.length(id));
    step_.sequences.push_back(cache_.extend(id, first, n));
    step_.sequences.back().longer = longer;
    step_.tokens.insert(step_.tokens.end(), tokens.begin(), tokens.end());
    if (want == Want::nothing) return;
    for (int i = want == Want::all ? 0 : n - 1; i < n; ++i) step_.outputs.push_back(first + i);
  }
  StepPtr take_step() { return std::make_shared<const Step>(std::move(step_)); }
  void commit() { before_.clear(); }

 private:
  KvCache& cache_;
  Step step_;
  std::vector<std::pair<SequenceId, int>> before_;  // lengths
};

std::span<float> Runner::append(SequenceId sequence, std::span<const TokenId> tokens, Want want) {
  const bool longer = is_longer(cache_->length(sequence) + static_cast<int>(tokens.size()));
  return append_part(sequence, tokens, longer, want);
}

std::span<float> Runner::append_last(SequenceId sequence, std::span<const TokenId> tokens) {
  const auto length = static_cast<int>(tokens.size());
  if (is_longer(length) == is_longer(length - 1)) return append(sequence, tokens.last(1));
  cache_->trim(sequence, 0);
  return append(sequence, tokens);
}

std::span<float> Runner::append_part(SequenceId sequence, std::span<const TokenId> tokens, bool longer, Want want,
                                     const std::function<bool()>& cancelled) {
  const auto chunk = static_cast<size_t>(prefill_chunk_);
  const bool gathers = want == Want::all && tokens.size() > chunk;
  gathered_.clear();
  std::span<float> logits;
  for (size_t at = 0; at < tokens.size(); at += chunk) {
    if (cancelled && cancelled()) return {};
    const auto part = tokens.subspan(at, std::min(chunk, tokens.size() - at));
    const bool last = at + part.size() == tokens.size();
    Batch batch(*cache_);
    batch.add(sequence, part, longer, last || want == Want::all ? want : Want::nothing);
    logits = compute(batch);
    if (gathers) gathered_.insert(gathered_.end(), logits.begin(), logits.end());
  }
  return gathers ? std::span<float>(gathered_) : logits;
}

std::span<float> Runner::decode(std::span<const SequenceId> sequences, std::span<const TokenId> tokens) {
  Batch batch(*cache_);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int length = cache_->length(sequences[i]);
    if (is_longer(length + 1) && !is_longer(length) && length > 0) {
      throw Error(
          ErrorCode::unsupported,
          str_cat("[engine] a sequence reaches ", length + 1,
                  " tokens, from which on LongRoPE rotates all of them otherwise; a batch can't compute it again"));
    }
    batch.add(sequences[i], tokens.subspan(i, 1), is_longer(length + 1), Want::last);
  }
  return compute(batch);
}

std::span<float> Runner::compute(Batch& batch) {
  try {
    const StepPtr step = batch.take_step();
    const auto logits = route_->compute(step, [this](const StepPtr& given) {
      auto result = model_->forward(given, cache_->store());
      if (faults::fails(faults::Call::compute)) throw std::runtime_error("[malloc] Unable to allocate 4 bytes.");
      return result;
    });
    ++counters_.steps;
    if (!step->outputs.empty()) ++counters_.vocabulary_products;
    batch.commit();
    return logits;
  } catch (...) {
    try {
      mx::synchronize();  // with the work that was given out before the failure
    } catch (const std::exception&) {
    }
    cache_->recover();
    rethrow_compute_error(info_.device);
  }
}

}  // namespace emelex
