#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights/safetensors/safetensors_header.h"
#include "weights/weights.h"

namespace emelex {

// A SafeTensors file of a header's text and data, whatever they are.
std::string raw_safetensors(std::string_view header, std::string_view data);

struct TinyTensor {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::string data;
};

// A valid file with the tensors in that order.
std::string safetensors(const std::vector<TinyTensor>& tensors);

std::string f32_data(const std::vector<float>& values);

// The tensors of a Llama with one layer, `dim` 8 and a vocabulary of 3, in F32, values counting up from `first`.
std::vector<TinyTensor> tiny_llama_tensors(float first = 0);

// The tensors of a module as MLX quantizes it: weight, scales and, for affine, biases, of any bytes.
std::vector<TinyTensor> mlx_module(const std::string& module, int64_t rows, int64_t columns, const MlxFormat& format);

// Its config.json, with `more` members: ", \"rope_theta\": 5e5". A key may be there twice only if parsing is to fail.
std::string tiny_llama_config(std::string_view more = "");

// Reads bytes as the file "tiny.safetensors". They are copied into memory of exactly their size, so that a sanitizer
// sees a read past the end; the entries' data must not be touched.
std::vector<SafeTensorsEntry> read_header(std::string_view bytes);

// Reads a configuration and one file in memory as the folder "tiny".
std::shared_ptr<const Weights> read_tiny(std::string_view config, std::string_view file);

}  // namespace emelex
