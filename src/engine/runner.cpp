#include "engine/runner.h"

#include <mlx/memory.h>
#include <mlx/transforms.h>
#include <mlx/version.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <system_error>

#include "base/strings.h"
#include "base/thread_pool.h"
#include "engine/memory_limit.h"
#include "kernels/cuda/cuda_route.h"
#include "models/active_weights.h"
#include "models/model_config.h"

static_assert(MLX_VERSION_MAJOR == 0 && MLX_VERSION_MINOR == 32, "custom primitives are written against MLX 0.32");

namespace emelex {
namespace {

// MLX allocates the results of some fifty operations ahead of the one that runs, each in proportion to the chunk. On a
// CPU 128 tokens are as fast as more (SmolLM2-135M on two cores: 1,695 tokens/s, 1,650 with 512) and take 90 MB less.
constexpr int kCpuPrefillChunk = 128;
constexpr int kGpuPrefillChunk = 512;
constexpr int kCudaPrefillChunk = 2048;  // weights are unpacked once a chunk

int default_chunk(const RouteChoice& choice) {
  if (choice.kernels == KernelRoute::cuda) return kCudaPrefillChunk;
  return choice.device == Device::gpu ? kGpuPrefillChunk : kCpuPrefillChunk;
}

void check_options(const LoadOptions& options) {
  if (options.threads < 0 || options.threads > 1024) {
    throw Error(ErrorCode::invalid_argument, str_cat("[engine] expected 1 to 1024 threads, got ", options.threads));
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

// The type that most bytes have: "q4_1".
std::string main_quantization(const Weights& weights) {
  std::map<std::string, size_t> bytes;
  for (const auto& [name, tensor] : weights.tensors()) bytes[tensor.type_name()] += tensor.bytes();
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::string name = most == bytes.end() ? "" : most->first;
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

// MLX tells what went wrong by an exception whose text may have several lines, of which the first has the reason.
[[noreturn]] void rethrow_as_error(const std::exception& error, const std::string& device) {
  const std::string text = error.what();
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  // A thread that can't be started is a system_error.
  const bool memory = says("out of memory") || says("allocate") || says("bad_alloc") ||
                      dynamic_cast<const std::system_error*>(&error) != nullptr;
  const ErrorCode code = memory ? ErrorCode::out_of_memory : device == "gpu" ? ErrorCode::device : ErrorCode::internal;
  throw Error(code,
              str_cat("[", device, "] expected ", memory ? "memory for the model's work" : "the model's work done",
                      ", got ", quote_bytes(text.substr(0, text.find('\n')))));
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

int64_t bytes_of(const Weights& weights) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : weights.tensors()) bytes += static_cast<int64_t>(tensor.bytes());
  return bytes;
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
  MemoryNeed need{cuda ? cuda::gpu_bytes(*source.weights) : bytes_of(*source.weights), shape.bytes_per_token(),
                  cuda ? estimate_cuda_work(config, prefill_chunk_) : estimate_work(config, prefill_chunk_)};
  const int context = std::min(options.context > 0 ? options.context : kDefaultContext, config.context_length);
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
  info_.quantization = main_quantization(weights);
  info_.parameters = 0;
  for (const auto& [name, tensor] : weights.tensors()) {
    int64_t values = 1;
    for (const int64_t n : tensor.shape) values *= n;
    info_.parameters += values;
  }
  info_.weight_bytes = bytes_of(weights);
  info_.active_bytes = active_bytes(weights);
  info_.experts = config.n_experts;
  info_.model_context = config.context_length;
  info_.context = options.context > 0 ? options.context : std::min(config.context_length, kDefaultContext);
  if (info_.context > config.context_length) {
    throw Error(ErrorCode::invalid_argument, str_cat("[engine] expected a context of at most the model's ",
                                                     config.context_length, " tokens, got ", info_.context));
  }
  info_.kernels = route_->name();
  info_.instruction_set = route_->instruction_set();
}

std::span<float> Runner::append(SequenceId sequence, std::span<const TokenId> tokens, std::vector<float>* all_logits) {
  const bool longer = is_longer(cache_->length(sequence) + static_cast<int>(tokens.size()));
  return append_part(sequence, tokens, longer, all_logits);
}

std::span<float> Runner::append_last(SequenceId sequence, std::span<const TokenId> tokens) {
  const auto length = static_cast<int>(tokens.size());
  if (is_longer(length) == is_longer(length - 1)) return append(sequence, tokens.last(1));
  cache_->trim(sequence, 0);
  return append(sequence, tokens);
}

std::span<float> Runner::append_part(SequenceId sequence, std::span<const TokenId> tokens, bool longer,
                                     std::vector<float>* all_logits) {
  std::span<float> logits;
  const auto chunk = static_cast<size_t>(prefill_chunk_);
  for (size_t at = 0; at < tokens.size(); at += chunk) {
    const size_t n = std::min(chunk, tokens.size() - at);
    Step step;
    step.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(at),
                       tokens.begin() + static_cast<std::ptrdiff_t>(at + n));
    step.sequences.push_back(cache_->extend(sequence, 0, static_cast<int>(n)));
    step.sequences.back().longer = longer;
    if (all_logits != nullptr) {
      for (size_t i = 0; i < n; ++i) step.outputs.push_back(static_cast<int32_t>(i));
    } else if (at + n == tokens.size()) {
      step.outputs.push_back(static_cast<int32_t>(n - 1));
    }
    logits = compute(std::move(step));
    if (all_logits != nullptr) all_logits->insert(all_logits->end(), logits.begin(), logits.end());
  }
  return logits;
}

std::span<float> Runner::decode(std::span<const SequenceId> sequences, std::span<const TokenId> tokens) {
  Step step;
  step.tokens.assign(tokens.begin(), tokens.end());
  for (size_t i = 0; i < sequences.size(); ++i) {
    step.sequences.push_back(cache_->extend(sequences[i], static_cast<int>(i), 1));
    step.sequences.back().longer = is_longer(cache_->length(sequences[i]));
    step.outputs.push_back(static_cast<int32_t>(i));
  }
  return compute(std::move(step));
}

std::span<float> Runner::compute(Step step) {
  try {
    return route_->compute(std::make_shared<const Step>(std::move(step)),
                           [this](const StepPtr& given) { return model_->forward(given, cache_->store()); });
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    mx::synchronize();  // with the work that was given out before
    rethrow_as_error(error, info_.device);
  }
}

}  // namespace emelex
