#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "emelex/engine.h"

namespace emelex {

// How well a model predicts a text. The text is cut into chunks of `context` tokens, each computed in a fresh cache,
// and the predictions in the second half of each are counted, which have half a chunk or more to go by: what
// llama.cpp's perplexity tool counts. https://github.com/ggml-org/llama.cpp/tree/master/tools/perplexity
struct EvaluateOptions {
  int context = 512;              // tokens in a chunk, at least 4; what is left over at the text's end is not used
  int chunks = 0;                 // at most that many; 0: all
  std::filesystem::path against;  // a model to compare with on the same tokens; empty: none
  // The other model's kernels; automatic: the same. With others, `against` may be empty: the same model is meant.
  KernelBackend against_kernels = KernelBackend::automatic;
  LoadOptions load;                           // its context does not count
  const std::atomic<bool>* cancel = nullptr;  // set to true from any thread or signal handler to stop
};

// A mean over all predictions, and its standard error as if they were independent (0 with one).
struct Estimate {
  double mean = 0;
  double error = 0;
};

// exp of the mean negative log probability of the tokens that came, in nats.
struct Perplexity {
  Estimate nll;
  double value = 0;
  double error = 0;
};

// How two models' predictions differ. The other model is `against`, P; this one is Q.
struct Comparison {
  Perplexity other;
  Estimate ratio;  // perplexity of this one by that of the other
  Estimate kl;     // sum of P ln(P / Q) over the vocabulary, in nats
  double kl_median = 0;
  double kl_90 = 0;  // 90% of the predictions have at most that much
  double kl_99 = 0;
  double kl_999 = 0;
  double kl_max = 0;
  double same_top = 0;      // part of the predictions where both find the same token the likeliest, 0 to 1
  double rms_delta_p = 0;   // root of the mean square of Q - P of the token that came
  double mean_delta_p = 0;  // below 0: this one finds what came less likely
};

struct EvaluateReport {
  ModelInfo model;
  std::optional<ModelInfo> other;
  int context = 0;          // tokens in a chunk
  int64_t text_tokens = 0;  // of the whole text
  int chunks_wanted = 0;
  int chunks = 0;           // that were measured, less where it was cancelled
  int64_t predictions = 0;  // that were counted
  double seconds = 0;
  bool cancelled = false;
  Perplexity perplexity;                 // meaningless without chunks, as is
  std::optional<Comparison> comparison;  // there where there is another model
};

struct EvaluateProgress {
  int chunk = 0;          // that were measured, from 1
  int chunks = 0;         // wanted
  double perplexity = 0;  // so far
  double seconds_left = 0;
};

// Evaluates a model by a text. `progress`, which may be empty, is called after each chunk. Throws Error as Engine::load
// does, and Error(invalid_argument) when the text has fewer tokens than one chunk, the context does not fit in a model,
// or the two models have different vocabularies.
EvaluateReport evaluate(const std::filesystem::path& model, std::string_view text, const EvaluateOptions& options,
                        const std::function<void(const EvaluateProgress&)>& progress);

}  // namespace emelex
