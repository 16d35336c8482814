#pragma once

#include "kernels/backend.h"
#include "models/config_keys.h"

namespace emelex {

// The rotary embedding that the file describes, with its scaling: linear, Llama 3's divisors of the frequencies, YaRN
// (Peng et al., arXiv:2309.00071) or LongRoPE (Ding et al., arXiv:2402.13753), which has other divisors for sequences
// longer than the context of the first training, if `context` lets them be. Throws Error, naming the key or tensor and
// the file: corrupt_file, or unsupported for another scaling or architecture.
Rope read_rope(const Weights& weights, int head_dim, int context);

// The same without any scaling, with the frequencies' base under the name `base_key`, else `base`: as layers with a
// sliding window have it.
Rope read_local_rope(const Weights& weights, int head_dim, const char* base_key, double base);

// Throws Error(unsupported) where a folder's rotary frequencies need a tensor that llama.cpp does not read in GGUF
// files of its architecture, so that no such file is written.
void check_rope_fits_gguf(const Weights& weights);

}  // namespace emelex
