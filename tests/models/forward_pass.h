#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <span>

#include "cache/kv_cache.h"
#include "engine/choose_backend.h"
#include "models/model.h"
#include "models/tiny_llama.h"

namespace emelex::test {

inline std::vector<int> random_tokens(int n, int vocab_size = TinyLlama().vocab_size, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<int> tokens(static_cast<size_t>(n));
  for (int& token : tokens) token = static_cast<int>(random() % static_cast<uint32_t>(vocab_size));
  return tokens;
}

// That they are the first of the largest of each row.
inline void check_likeliest(std::span<const int32_t> found, std::span<const float> logits) {
  if (found.empty()) return;
  const size_t columns = logits.size() / found.size();
  for (size_t i = 0; i < found.size(); ++i) {
    const auto row = logits.subspan(i * columns, columns);
    CHECK(found[i] == std::max_element(row.begin(), row.end()) - row.begin());
  }
}

// A tiny model on a backend, computing steps of any make.
class ForwardPass {
 public:
  // Some tokens of one sequence, in a step.
  struct Part {
    SequenceId sequence;
    std::vector<int> tokens;
    bool long_rope = false;  // StepSequence::long_rope
  };

  ForwardPass(const TinyLlama& model, KernelBackend kernels, int threads = 2, KvDtype kv = KvDtype::f32)
      : ForwardPass(model.open(), kernels, threads, kv) {}

  // `keep_all`: also what lies before the windows of layers.
  ForwardPass(std::shared_ptr<const Weights> weights, KernelBackend kernels, int threads = 2, KvDtype kv = KvDtype::f32,
              bool keep_all = false)
      : ForwardPass(std::move(weights), make_backend({Device::cpu, kernels}, threads), kv, keep_all) {}

  ForwardPass(std::shared_ptr<const Weights> weights, std::unique_ptr<Backend> backend, KvDtype kv,
              bool keep_all = false)
      : backend_(std::move(backend)) {
    model_ = make_model({std::move(weights), *backend_, 0});
    std::vector<LayerMemory> memory = model_->memory();
    for (LayerMemory& layer : memory) {
      if (keep_all) std::get<KvSpec>(layer).window = 0;
    }
    const auto make_pool = [&](const KvSpec& spec, int n_layers) { return backend_->kv_pool(spec, kv, n_layers); };
    cache_ = std::make_unique<KvCache>(memory, make_pool);
  }

  KvCache& cache() { return *cache_; }

  // → logits [tokens of all parts, vocab_size]
  std::vector<float> step(const std::vector<Part>& parts) {
    Step step;
    for (const Part& part : parts) {
      step.sequences.push_back(cache_->extend(part.sequence, step.size(), static_cast<int>(part.tokens.size())));
      step.sequences.back().long_rope = part.long_rope;
      step.tokens.insert(step.tokens.end(), part.tokens.begin(), part.tokens.end());
    }
    step.outputs.resize(step.tokens.size());
    std::iota(step.outputs.begin(), step.outputs.end(), 0);
    backend_->compute(std::make_shared<const Step>(std::move(step)), cache_->memory(),
                      [this](const Batch& batch) { return model_->logits(model_->hidden(batch), batch); });
    const auto likeliest = backend_->likeliest();
    const auto logits = backend_->logits();
    check_likeliest(likeliest, logits);
    return {logits.begin(), logits.end()};
  }

  // A sequence's tokens, `chunk` at a time.
  std::vector<float> prefill(SequenceId sequence, const std::vector<int>& tokens, size_t chunk) {
    std::vector<float> all;
    for (size_t at = 0; at < tokens.size(); at += chunk) {
      const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(at);
      const auto n = static_cast<std::ptrdiff_t>(std::min(chunk, tokens.size() - at));
      const auto logits = step({{sequence, {first, first + n}}});
      all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
  }

  std::vector<float> prefill(const std::vector<int>& tokens, size_t chunk = 1 << 20) {
    return prefill(cache_->create(), tokens, chunk);
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<KvCache> cache_;
};

}  // namespace emelex::test
