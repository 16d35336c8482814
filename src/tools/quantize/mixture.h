#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weights/weights.h"

namespace emelex {

// What people call the kinds of quantized files: "q4_k_m" is mostly Q4_K, with more bits where they help most. Which
// tensors those are follows llama.cpp's quantizer, so that a name means the same file everywhere:
// https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp (but for what it does for Falcon alone).
struct Mixture {
  std::string_view name;
  TensorType base;            // of most matrices
  int file_type;              // general.file_type in a GGUF file
  std::string_view for_whom;  // a line for the help
};

const std::vector<Mixture>& mixtures();

// The mixture of that name, in either case, or nullptr.
const Mixture* find_mixture(std::string_view name);

// A tensor and the type that it gets.
struct PlannedTensor {
  const Tensor* tensor;
  TensorType type;
};

// All tensors in the order of a written file: those of no layer, then layer by layer, by name. Norms, biases, routers
// and the like stay plain numbers; a row that a type's blocks do not divide gets the type that llama.cpp falls back
// to. `plain_as_f32`: kept tensors become float32, as GGUF files that are made of other files have them.
std::vector<PlannedTensor> plan_tensors(const Mixture& mixture, const Weights& weights, bool plain_as_f32);

}  // namespace emelex
