#pragma once

namespace emelex {

// Which values of a head RoPE turns together, as a file has them: neighbours, or value i of the one half and of the
// other. A GGUF file has what its architecture has (models/architecture.h), a folder what its model_type has
// (safetensors/hf_families.h).
enum class RopePairs { neighbours, halves };

}  // namespace emelex
