#pragma once

#include <map>
#include <string>

#include "weights/safetensors/mlx_matrices.h"

namespace emelex {

// Tensors in MXFP4 as transformers has them (quant_method "mxfp4"): NAME_blocks [.., groups, 16], 32 values in the
// bytes of each group, two in a byte and the first in its low half, and NAME_scales [.., groups]. These are the bytes
// of MLX's mxfp4. Takes both out of `found` and gives them back as one tensor, under NAME. Throws Error(corrupt_file),
// naming the tensors and the file.
std::map<std::string, Tensor> take_mxfp4_blocks(FoundTensors& found);

}  // namespace emelex
