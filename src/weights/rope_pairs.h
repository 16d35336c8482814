#pragma once

namespace emelex {

// Which values of a head RoPE rotates together, as a file stores them. The architecture decides for a GGUF file
// (models/architecture.h), the model_type for a folder (safetensors/hf_families.h).
enum class RopePairs {
  interleaved,  // 2i and 2i + 1
  halves,       // i of the first half and i of the second
};

}  // namespace emelex
