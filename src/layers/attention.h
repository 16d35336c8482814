#pragma once

#include <memory>
#include <vector>

#include "kernels/backend.h"

namespace emelex {

using AttentionConfigPtr = std::shared_ptr<const AttentionConfig>;

// What one attention block computes with.
struct AttentionParts {
  Backend* backend;
  std::unique_ptr<Linear> qkv;     // dim → n_heads · head_dim, and twice n_kv_heads · head_dim
  std::unique_ptr<Linear> output;  // n_heads · head_dim → dim
  std::unique_ptr<Norm> q_norm;    // of each head or of all together, before the rotation; nullptr: none
  std::unique_ptr<Norm> k_norm;    // likewise
  std::vector<float> sinks;        // [n_heads], as Backend::attention has them; empty: none
};

// Grouped-query attention over the KV cache (Ainslie et al., arXiv:2305.13245). x [tokens, dim], which `qkv` normalizes
// where the architecture does so.
class Attention {
 public:
  Attention(AttentionParts parts, const AttentionConfigPtr& config, int layer)
      : parts_(std::move(parts)),
        attend_(parts_.backend->attention(*config, parts_.sinks, layer)),
        memory_{config->n_kv_heads, config->head_dim, config->window} {}

  LayerMemory memory() const { return memory_; }

  // → attention(x)
  mx::array operator()(const mx::array& x, const Batch& batch) const;
  // → residual + attention(x)
  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const;

 private:
  mx::array attend(const mx::array& x, const Batch& batch) const;

  AttentionParts parts_;
  std::unique_ptr<AttentionOp> attend_;
  KvSpec memory_;
};

}  // namespace emelex
