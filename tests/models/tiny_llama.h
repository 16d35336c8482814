#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quant/mlx_quants.h"
#include "quant/tensor_type.h"
#include "weights/weights.h"

namespace emelex::test {

// A Llama of a few hundred kB with random weights; the sizes are odd on purpose.
struct TinyLlama {
  TensorType type = TensorType::f32;  // of the matrices
  std::optional<MlxFormat> mlx;       // of the matrices in memory, as MLX quantizes them; the file has them in `type`
  int n_layers = 2;
  int dim = 96;
  int hidden_dim = 160;
  int n_heads = 6;
  int n_kv_heads = 2;
  int head_dim = 16;
  int rope_dim = 16;
  int vocab_size = 203;
  int context = 2048;
  bool tied = false;          // the output is the embedding table
  bool rope_factors = false;  // a divisor for each frequency, as Llama 3.1 has
  int n_experts = 0;          // of each layer, of which two compute a token; 0: an MLP
  float rope_base = 10000.0F;
  float norm_eps = 1e-5F;
  uint32_t seed = 1;
  std::map<std::string, float> factors;  // of all values of the tensors whose names contain that

  // The tensors by name, as float32, before they are stored as `type`.
  std::map<std::string, std::vector<float>> tensors() const;
  std::map<std::string, std::vector<int64_t>> shapes() const;

  // `without` names a tensor to leave out.
  void write(const std::filesystem::path& path, const std::string& without = {}) const;

  // Written, and opened again.
  std::shared_ptr<const Weights> open() const;
};

// A matrix as MLX quantizes it.
Tensor quantized_by_mlx(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values,
                        const MlxFormat& format);

}  // namespace emelex::test
