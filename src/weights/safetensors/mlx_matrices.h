#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "weights/safetensors/hf_quantization.h"
#include "weights/safetensors/safetensors_header.h"
#include "weights/safetensors/safetensors_reader.h"

namespace emelex {

// A tensor of the files, and the file that has it.
struct FoundTensor {
  SafeTensorsEntry entry;
  const SafeTensorsPart* part;
};
using FoundTensors = std::map<std::string, FoundTensor, std::less<>>;  // by the file's name

// An MLX-quantized module's weight, scales and biases are three tensors. Takes them out of `found` and gives one back
// for each such module, under the name of its weight. All is checked against each other and against `quantization`,
// which stands in `config`. Throws Error(corrupt_file), naming the tensors, both values and the file.
std::map<std::string, Tensor> take_mlx_matrices(FoundTensors& found, const HfQuantization& quantization,
                                                const std::filesystem::path& config);

}  // namespace emelex
