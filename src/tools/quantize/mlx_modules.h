#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quant/mlx_quants.h"
#include "tools/quantize/row_source.h"
#include "weights/safetensors/hf_families.h"
#include "weights/weights.h"

namespace emelex {

// Rows [first, first + n) of a tensor.
struct RowRange {
  RowSource source;
  int64_t first;
  int64_t n;
};

// A tensor of an MLX folder; where it is quantized, its weight with the scales and biases.
struct MlxModule {
  std::string name;            // Hugging Face's: "model.layers.0.self_attn.q_proj.weight"
  std::vector<int64_t> shape;  // in numbers
  std::vector<RowRange> parts;
  std::optional<MlxFormat> format = std::nullopt;  // nothing: plain numbers
  bool kept = false;                               // the rows have that format already, and stay as they are
  bool less_one = false;                           // stored less 1, as HfNorm::rms_less_one has it

  int64_t columns() const { return shape.back(); }
  int64_t rows() const;                                                   // of all matrices, where it has several
  const Tensor& tensor() const { return parts.front().source.tensor(); }  // the first of those that it is made of
};

// What a folder has of a model's tensors, in mlx-lm's names and layout: https://github.com/ml-explore/mlx-lm. Experts'
// matrices are one module a layer [experts, rows, columns], gates and ups apart, whatever the model's own files do.
class MlxModules {
 public:
  // Matrices get `format` where its groups divide their rows, but for two kinds: a router, whose small errors send
  // tokens to other experts, has 8 bits, as mlx-lm gives most of them; and experts in MXFP4 stay so, as they were
  // trained. Throws Error: unsupported for tensors that the family has no names for, corrupt_file for experts that are
  // not all there.
  MlxModules(const Weights& weights, const HfFamily& family, const MlxFormat& format);

  const std::vector<MlxModule>& all() const { return modules_; }

 private:
  void add_whole(const Tensor& tensor);
  void add_gate_and_up(const Tensor& both, RowOrder order);
  void add_stack(const std::string& name, const std::map<int64_t, const Tensor*>& experts);
  void add(const std::string& gguf_name, std::vector<int64_t> shape, std::vector<RowRange> parts);
  std::optional<MlxFormat> format_of(const MlxModule& module, std::string_view gguf_name) const;

  const Weights& weights_;
  const HfFamily& family_;
  MlxFormat format_;
  RowOrders orders_;
  std::deque<Tensor> columns_;  // biases, each value as a row
  std::vector<MlxModule> modules_;
};

}  // namespace emelex
