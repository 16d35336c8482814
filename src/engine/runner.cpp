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
#include "kernels/cuda/cuda_backend.h"
#include "kernels/planning_backend.h"
#include "models/active_weights.h"
#include "models/model_config.h"
#include "weights/weight_totals.h"

static_assert(MLX_VERSION_MAJOR == 0 && MLX_VERSION_MINOR == 32, "custom primitives are written against MLX 0.32");

namespace emelex {
namespace {

// Chunks of a prompt are not made shorter than this for a memory limit.
constexpr int kShortestChunk = 128;

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
  if (options.kept_cache_limit.value_or(0) < 0) {
    throw Error(ErrorCode::invalid_argument,
                "[engine] expected a limit of the kept cache of 0 or more bytes, got less");
  }
  if (options.max_running < 0 || options.max_waiting < 0 || !(options.step_budget >= 0)) {
    throw Error(ErrorCode::invalid_argument,
                "[engine] expected numbers of requests and a step budget of 0 or more, got less");
  }
  if (options.prefill_chunk < 0) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[engine] expected a prefill chunk of 0 or more, got ", options.prefill_chunk));
  }
}

KvDtype kv_dtype(KvType type, const Backend& backend, bool may_fall_back) {
  const std::vector<KvDtype> possible = backend.capabilities().kv_dtypes;
  if (type == KvType::automatic) return possible.front();
  const KvDtype wanted = type == KvType::f16 ? KvDtype::f16 : type == KvType::f32 ? KvDtype::f32 : KvDtype::q8_0;
  if (std::find(possible.begin(), possible.end(), wanted) != possible.end()) return wanted;
  throw Error(may_fall_back ? ErrorCode::unsupported : ErrorCode::invalid_argument,
              str_cat("[engine] expected a KV cache of f16 or f32 with the ", backend.name(), " kernels, got q8_0"));
}

}  // namespace

Runner::Runner(std::shared_ptr<const Weights> weights, const LoadOptions& options) {
  check_options(options);
  const BackendChoice choice = choose_backend(options);
  info_.threads = options.threads > 0 ? options.threads : physical_cores();
  try {
    build(weights, options, choice);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported || !choice.may_fall_back) throw;
    info_.not_cuda = error.what();
    cache_.reset();
    model_.reset();
    backend_.reset();
    build(weights, options, without_cuda(choice));
  }
}

void Runner::build(const std::shared_ptr<const Weights>& weights, const LoadOptions& options,
                   const BackendChoice& choice) {
  info_.device = choice.device == Device::gpu ? "gpu" : "cpu";
  backend_ = make_backend(choice, info_.threads);
  prefill_chunk_ = options.prefill_chunk > 0 ? options.prefill_chunk : backend_->capabilities().prefill_chunk;
  const ModelInput source{weights, *backend_, options.context > 0 ? options.context : kDefaultContext};
  make_cache(source, options, choice);
  model_ = make_model(source);
  fill_info(*weights, options);
  long_rope_after_ = model_->config().attention.rope.long_after;
}

// Before the model is made, so that a model that does not fit takes no memory. How many sessions share the cache is the
// caller's to bound.
void Runner::make_cache(const ModelInput& source, const LoadOptions& options, const BackendChoice& choice) {
  const auto planning = make_planning_backend();
  const auto plan = make_model({source.weights, *planning, source.context});
  const KvDtype dtype = kv_dtype(options.kv_type, *backend_, choice.may_fall_back);
  cache_ = std::make_unique<KvCache>(
      plan->memory(), [&](const KvSpec& spec, int n_layers) { return backend_->kv_pool(spec, dtype, n_layers); });
  info_.kv_bytes_per_token = cache_->bytes_per_token();
  limit_memory(source, plan->config(), options, choice);
  const int context = session_context(options, plan->config().context_length);
  cache_->set_most_kept(options.kept_cache_limit.value_or(cache_->bytes_for(context, prefill_chunk_)));
}

// Gives the cache what the memory limit leaves for it.
void Runner::limit_memory(const ModelInput& source, const ModelConfig& config, const LoadOptions& options,
                          const BackendChoice& choice) {
  const bool gpu = choice.device == Device::gpu;
  const int64_t limit = gpu ? options.gpu_memory_limit : options.memory_limit;
  const bool cuda = choice.kernels == KernelBackend::cuda;
  if (limit == 0 && !cuda) return;
  const auto work = [&] {
    return cuda ? estimate_cuda_work(config, prefill_chunk_) : estimate_work(config, prefill_chunk_);
  };
  MemoryNeed need{cuda ? cuda::gpu_bytes(*source.weights) : total_weights(*source.weights).bytes, work(),
                  [this](int64_t tokens) { return cache_->bytes_for(tokens, prefill_chunk_); }};
  const int context = session_context(options, config.context_length);
  const int in_blocks = (context + kBlockTokens - 1) / kBlockTokens * kBlockTokens;
  // Shorter chunks are slower, but take less.
  while (limit > 0 && cuda && options.prefill_chunk == 0 && prefill_chunk_ > kShortestChunk &&
         need.with_context(in_blocks) > limit) {
    prefill_chunk_ /= 2;
    need.work = work();
  }
  if (limit > 0) {
    check_memory_limit(need, in_blocks, limit, source.weights->path().filename().string(),
                       gpu ? "gpu_memory_limit" : "memory_limit");
  }
  const int64_t copy =
      cuda && options.gpu_float16_copy ? float16_copy(*source.weights, need.with_context(in_blocks), limit) : 0;
  backend_->set_spare_bytes(copy);
  if (limit == 0) return;
  if (gpu && !cuda) mx::set_memory_limit(static_cast<size_t>(limit));  // past it MLX gives back what it keeps for later
  cache_->set_max_bytes(limit - need.weights - need.work - copy);
}

// Bytes of LoadOptions::gpu_float16_copy, 0 where it is not made. `need`: of the model and one context.
int64_t Runner::float16_copy(const Weights& weights, int64_t need, int64_t limit) const {
  const int64_t bytes = cuda::gpu_float16_bytes(weights);
  const int64_t room = limit > 0 ? limit - need : (backend_->free_bytes().value_or(0) - need) / 2;
  return bytes <= room ? bytes : 0;
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
  info_.kernels = backend_->name();
  info_.instruction_set = backend_->instruction_set();
}

void Runner::Pass::take_back() noexcept {
  for (size_t i = 0; i < runs_.size(); ++i) runner_->cache().trim(runs_[i].sequence, lengths_[i]);
  runs_.clear();
}

void Runner::Pass::add(const Run& run) {
  KvCache& cache = runner_->cache();
  const int first = step_.size();
  const auto n = static_cast<int>(run.tokens.size());
  const int begin = run.want == Want::nothing ? n : run.want == Want::all ? 0 : n - 1;
  // All that needs memory comes before the sequence is changed.
  runs_.reserve(runs_.size() + 1);
  lengths_.reserve(lengths_.size() + 1);
  step_.sequences.reserve(step_.sequences.size() + 1);
  step_.tokens.reserve(step_.tokens.size() + run.tokens.size());
  step_.outputs.reserve(step_.outputs.size() + static_cast<size_t>(n - begin));
  const int length = cache.length(run.sequence);
  step_.sequences.push_back(cache.extend(run.sequence, first, n));
  step_.sequences.back().long_rope = run.long_rope;
  step_.tokens.insert(step_.tokens.end(), run.tokens.begin(), run.tokens.end());
  for (int i = begin; i < n; ++i) step_.outputs.push_back(first + i);
  runs_.push_back(run);
  lengths_.push_back(length);
}

std::span<float> Runner::Pass::logits() { return runner_->compute(*this, &Backend::logits); }

std::span<const TokenId> Runner::Pass::likeliest() { return runner_->compute(*this, &Backend::likeliest); }

std::span<float> Runner::append(SequenceId sequence, std::span<const TokenId> tokens, Want want) {
  const bool long_rope = needs_long_rope(cache_->length(sequence) + static_cast<int>(tokens.size()));
  return append_part(sequence, tokens, long_rope, want);
}

std::span<float> Runner::append_last(SequenceId sequence, std::span<const TokenId> tokens) {
  const auto length = static_cast<int>(tokens.size());
  if (needs_long_rope(length) == needs_long_rope(length - 1)) return append(sequence, tokens.last(1));
  cache_->trim(sequence, 0);
  return append(sequence, tokens);
}

TokenId Runner::append_last_likeliest(SequenceId sequence, std::span<const TokenId> tokens) {
  const auto length = static_cast<int>(tokens.size());
  if (needs_long_rope(length) != needs_long_rope(length - 1)) return likeliest_of(append_last(sequence, tokens));
  Pass pass(*this);
  pass.add({sequence, tokens.last(1), needs_long_rope(length)});
  return pass.likeliest().front();
}

std::span<float> Runner::append_part(SequenceId sequence, std::span<const TokenId> tokens, bool long_rope, Want want,
                                     const std::function<bool()>& cancelled) {
  const auto chunk = static_cast<size_t>(prefill_chunk_);
  const bool gathers = want == Want::all && tokens.size() > chunk;
  gathered_.clear();
  std::span<float> logits;
  for (size_t at = 0; at < tokens.size(); at += chunk) {
    if (cancelled && cancelled()) return {};
    const auto part = tokens.subspan(at, std::min(chunk, tokens.size() - at));
    const bool last = at + part.size() == tokens.size();
    Pass pass(*this);
    pass.add({sequence, part, long_rope, last || want == Want::all ? want : Want::nothing});
    logits = pass.logits();
    if (gathers) gathered_.insert(gathered_.end(), logits.begin(), logits.end());
  }
  return gathers ? std::span<float>(gathered_) : logits;
}

void Runner::add_decodes(Pass& pass, std::span<const SequenceId> sequences, std::span<const TokenId> tokens) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int length = cache_->length(sequences[i]);
    if (needs_long_rope(length + 1) && !needs_long_rope(length) && length > 0) {
      throw Error(
          ErrorCode::unsupported,
          str_cat("[engine] a sequence reaches ", length + 1,
                  " tokens, from which on LongRoPE rotates all of them otherwise; a batch can't compute it again"));
    }
    pass.add({sequences[i], tokens.subspan(i, 1), needs_long_rope(length + 1)});
  }
}

std::span<float> Runner::decode(std::span<const SequenceId> sequences, std::span<const TokenId> tokens) {
  Pass pass(*this);
  add_decodes(pass, sequences, tokens);
  return pass.logits();
}

std::span<const TokenId> Runner::decode_likeliest(std::span<const SequenceId> sequences,
                                                  std::span<const TokenId> tokens) {
  Pass pass(*this);
  add_decodes(pass, sequences, tokens);
  return pass.likeliest();
}

template <class Result>
Result Runner::compute(Pass& pass, Result (Backend::*fetch)()) {
  try {
    const auto step = std::make_shared<const Step>(std::move(pass.step_));
    backend_->compute(step, cache_->memory(), [this](const Batch& batch) {
      const auto hidden = model_->hidden(batch);
      auto result = batch.step().outputs.empty() ? hidden : model_->logits(hidden, batch);
      if (faults::fails(faults::Call::compute)) throw std::runtime_error("[malloc] Unable to allocate 4 bytes.");
      return result;
    });
    ++counters_.steps;
    if (!step->outputs.empty()) ++counters_.vocabulary_products;
    const Result result = ((*backend_).*fetch)();
    for (const Run& run : pass.runs_) cache_->computed(run.sequence, run.tokens);
    pass.runs_.clear();
    return result;
  } catch (...) {
    try {
      // With the work that was given out before the failure. Our CPU kernels give none out, and MLX would start a
      // thread.
      if (info_.device == "gpu" || info_.kernels == "mlx") mx::synchronize();
    } catch (const std::exception&) {
    }
    cache_->recover();
    pass.take_back();
    rethrow_compute_error(info_.device);
  }
}

}  // namespace emelex
