#pragma once

#include <vector>

#include "models/tiny_llama.h"

namespace emelex::test {

// The logits [tokens, vocab_size] of a prompt, in double precision, by the formulas of Llama alone: RMSNorm
// (arXiv:1910.07467), rotary embedding (arXiv:2104.09864), grouped-query attention (arXiv:2305.13245), SwiGLU
// (arXiv:2002.05202). The matrices are those of the stored file.
std::vector<double> reference_logits(const TinyLlama& model, const std::vector<int>& tokens);

// |a - b| / |b|
double relative_l2(const std::vector<float>& a, const std::vector<double>& b);

}  // namespace emelex::test
