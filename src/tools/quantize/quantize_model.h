#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emelex {

struct QuantizeProgress {
  size_t tensor;  // the number of the one that is being written, from 0
  size_t n_tensors;
  std::string_view name;
  uint64_t bytes_done;  // of the output
  uint64_t bytes_total;
};

struct QuantizeOptions {
  int threads = 0;          // 0: one per physical core
  bool requantize = false;  // take weights that are rounded already
  bool partial = false;     // take a model that lacks tensors, as tests of single tensors do
  bool replace = true;      // an output that is there already; false: that is an error
  std::function<void(const QuantizeProgress&)> progress;
  const std::atomic<bool>* cancel = nullptr;  // set to true: ends with Error(cancelled)
};

// One tensor of what was written.
struct QuantizedTensor {
  std::string name;
  std::string from;  // types, as Tensor::type_name() has them
  std::string to;
  uint64_t bytes_before;
  uint64_t bytes_after;
  int64_t values;
};

struct QuantizeReport {
  std::filesystem::path output;
  std::vector<QuantizedTensor> tensors;
  uint64_t bytes_before = 0;  // of all tensors
  uint64_t bytes_after = 0;
  int64_t values = 0;
};

// The names of mixtures, each with a line for people.
std::vector<std::pair<std::string_view, std::string_view>> quantization_names();

// Writes the model as a GGUF file of that mixture (mixture.h), with its metadata and tokenizer. Rows are read, rounded
// and written a few megabytes at a time, so memory stays small whatever the model's size. The file appears under its
// name when it is complete and on the disk; a run that fails or is killed leaves what was there before. Only a regular
// file is ever replaced.
// Throws Error as opening the model does, and: invalid_argument for an unknown mixture, or an output that is the input;
// unsupported for rounded weights without `requantize`; corrupt_file for numbers that are not finite; io.
QuantizeReport quantize_to_gguf(const std::filesystem::path& model, const std::filesystem::path& output,
                                std::string_view mixture, const QuantizeOptions& options);

struct MlxTarget {
  int bits = 4;  // 2, 3, 4, 5, 6 or 8
  int group_size = 64;
};

// The same as a folder that mlx-lm opens: SafeTensors in MLX's affine format, config.json and the tokenizer's files,
// which are a folder's own, or made of a GGUF file's metadata. Plain numbers become float16, or stay bfloat16; experts
// in MXFP4 stay as they are. An output that is there is replaced only if it is an empty folder, or one of MLX's that
// holds nothing else. Throws Error as above, and unsupported for a model that has no such folder's form in
// emelex.
QuantizeReport quantize_to_mlx(const std::filesystem::path& model, const std::filesystem::path& output,
                               const MlxTarget& target, const QuantizeOptions& options);

}  // namespace emelex
