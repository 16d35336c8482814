#include "engine/memory_limit.h"

#include <algorithm>
#include <cstdio>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/step.h"

namespace emelex {
namespace {

// The program with MLX's library, and what a matrix that is packed has of itself at once.
constexpr int64_t kProgramBytes = int64_t{64} << 20;

// Where MLX's graph computes, it allocates the results of some fifty operations ahead of the one that runs: those of
// about four layers.
constexpr int64_t kLayersAhead = 4;

std::string megabytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

}  // namespace

int64_t estimate_work(const ModelConfig& config, int chunk) {
  // With experts a token has as many rows as experts that it uses, each of which it goes into and comes out of.
  const int64_t experts = int64_t{config.n_experts_used} * (config.expert_hidden_dim + config.dim);
  const int64_t layer = int64_t{8} * config.dim + int64_t{3} * std::max<int64_t>(config.hidden_dim, experts);
  return kProgramBytes + 4 * (kLayersAhead * chunk * layer + int64_t{2} * config.vocab_size);
}

int64_t estimate_cuda_work(const ModelConfig& config, int chunk) {
  // Gate and up are float32, what comes of them float16.
  const int64_t hidden = int64_t{2} * config.hidden_dim + config.hidden_dim / 2;
  return 4 * (int64_t{chunk} * (int64_t{6} * config.dim + hidden) + config.vocab_size);
}

void check_memory_limit(const MemoryNeed& need, int context, int64_t limit, const std::string& name,
                        const std::string& where) {
  if (limit <= 0 || need.with_context(context) <= limit) return;
  // In whole blocks of the cache.
  int64_t fitting = context / kBlockTokens * kBlockTokens;
  while (fitting > 0 && need.with_context(fitting) > limit) fitting -= kBlockTokens;
  const std::string advice =
      fitting > 0 ? str_cat("a context of ", fitting, " tokens fits") : "no context is small enough";
  throw Error(
      ErrorCode::out_of_memory,
      str_cat("[engine] ", quote_bytes(name), " takes ", megabytes(need.with_context(context)), " (weights ",
              megabytes(need.weights), ", cache of ", context, " tokens ", megabytes(need.cache(context)), ", work ",
              megabytes(need.work), "), more than ", where, " allows, ", megabytes(limit), "; ", advice));
}

}  // namespace emelex
