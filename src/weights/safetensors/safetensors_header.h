#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/tensor_type.h"

// One SafeTensors file: eight bytes of length, a JSON header, the tensors' bytes.
// The format: https://huggingface.co/docs/safetensors/index
namespace emelex {

struct SafeTensorsEntry {
  std::string name;
  std::string dtype;           // as the file calls it: "BF16"
  std::vector<int64_t> shape;  // outermost first; empty for a single number
  std::span<const std::byte> data;
};

// What the file holds, in the order of the data. All of it was checked: each tensor's bytes lie in the file, are as
// many as dtype and shape say (unless emelex has not heard of the dtype), and together they cover the data without
// overlap or hole. Throws Error(corrupt_file), naming the file and the tensor, for anything else.
std::vector<SafeTensorsEntry> read_safetensors_header(std::span<const std::byte> bytes,
                                                      const std::filesystem::path& path);

// Our type for a dtype, or nothing when emelex has no such tensors.
std::optional<TensorType> tensor_type_of_dtype(std::string_view dtype);

}  // namespace emelex
