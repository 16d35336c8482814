#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
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
// for each such module, under the name of its weight. A module that `quantization` does not name has the bits and the
// group size that follow from the shapes and from columns_of(its weight's name), the values in a row that the model
// needs, as for mlx-lm; where those are not known it is as `quantization` says of all. All is checked against each
// other and against `quantization`, which stands in `config`. Throws Error(corrupt_file), naming the tensors, both
// values and the file.
std::map<std::string, Tensor> take_mlx_matrices(
    FoundTensors& found, const HfQuantization& quantization, const std::filesystem::path& config,
    const std::function<std::optional<int64_t>(const std::string&)>& columns_of);

}  // namespace emelex
