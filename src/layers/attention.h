#pragma once

#include <memory>
#include <vector>

#include "kernels/route.h"

namespace emelex {

using AttentionConfigPtr = std::shared_ptr<const AttentionConfig>;

// What one attention block multiplies and normalizes with.
struct AttentionParts {
  std::unique_ptr<Linear> qkv;     // dim → n_heads · head_dim, and twice n_kv_heads · head_dim
  std::unique_ptr<Linear> output;  // n_heads · head_dim → dim
  std::unique_ptr<Norm> q_norm;    // of each head or of all together, before the rotation; nullptr: none
  std::unique_ptr<Norm> k_norm;
  std::vector<float> sinks;  // [n_heads], what KvStore::attend has of that name; empty: none
};

// Grouped-query attention over the KV cache (Ainslie et al., arXiv:2305.13245). x [tokens, dim], already normalized
// where the architecture does so.
class Attention {
 public:
  Attention(AttentionParts parts, AttentionConfigPtr config, int layer)
      : parts_(std::move(parts)), config_(std::move(config)), layer_(layer) {}

  int window() const { return config_->window; }

  // → attention(x)
  mx::array operator()(const mx::array& x, KvStore& cache, const StepPtr& step) const;
  // → residual + attention(x)
  mx::array add_to(const mx::array& residual, const mx::array& x, KvStore& cache, const StepPtr& step) const;

 private:
  mx::array attend(const mx::array& x, KvStore& cache, const StepPtr& step) const;

  AttentionParts parts_;
  AttentionConfigPtr config_;
  int layer_;
};

}  // namespace emelex
