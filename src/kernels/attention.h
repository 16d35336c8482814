#pragma once

#include <mlx/array.h>

#include <vector>

#include "kernels/batch.h"

namespace emelex {

namespace mx = mlx::core;

// Rotary position embedding (Su et al., arXiv:2104.09864): pair i of the first `dim` values of a head is rotated by
// position × inv_freq[i].
struct Rope {
  int dim = 0;                  // rotated values of a head; the others pass through. 0: no rotation
  bool interleaved = true;      // pairs are (2i, 2i+1); else halves, (i, i + dim/2)
  std::vector<float> inv_freq;  // [dim / 2]
  float scale = 1.0F;           // of the rotated values, for YaRN and LongRoPE
  // LongRoPE (arXiv:2402.13753) rotates all tokens of a sequence of more than `long_after` tokens by other frequencies.
  // 0: there are none.
  int long_after = 0;
  std::vector<float> long_inv_freq = {};  // [dim / 2]

  bool operator==(const Rope&) const = default;
  // `long_rope`: StepSequence::long_rope
  const std::vector<float>& frequencies(bool long_rope) const {
    return long_rope && long_after > 0 ? long_inv_freq : inv_freq;
  }
};

struct AttentionConfig {
  int n_heads = 0;
  int n_kv_heads = 0;  // divides n_heads
  int head_dim = 0;
  float scale = 0;     // of the scores, usually 1/sqrt(head_dim)
  float soft_cap = 0;  // scores become cap · tanh(score / cap); 0: they stay
  int window = 0;      // a token attends to so many positions, its own among them; 0: to all before it
  Rope rope;

  bool operator==(const AttentionConfig&) const = default;
};

// The attention of one layer: rotates queries and keys, stores keys and values in the layer's part of the batch's
// memory, and attends from every token to its sequence's tokens up to itself.
class AttentionOp {
 public:
  virtual ~AttentionOp() = default;
  // q [tokens, n_heads · head_dim], k and v [tokens, n_kv_heads · head_dim] → [tokens, n_heads · head_dim]
  virtual mx::array operator()(const mx::array& q, const mx::array& k, const mx::array& v,
                               const Batch& batch) const = 0;
};

}  // namespace emelex
