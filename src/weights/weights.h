#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/mlx_quants.h"
#include "quant/tensor_type.h"
#include "weights/format_facts.h"
#include "weights/metadata.h"

namespace emelex {

// What a tensor in one of MLX's formats has beside its values: row by row, as they are.
struct MlxParts {
  MlxFormat format;
  std::span<const std::byte> scales;
  std::span<const std::byte> biases;  // empty but for affine
};

// A tensor as the file holds it. `data` points into the mapped file, which `file` keeps mapped.
struct Tensor {
  std::string name;
  TensorType type;
  // Outermost first: a matrix is [rows (outputs), columns (inputs)]. The last is contiguous. In values, also where the
  // file counts packed words.
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
  std::shared_ptr<const void> file;
  std::shared_ptr<const MlxParts> mlx = nullptr;  // where type is TensorType::mlx, whose values are `data`

  int64_t rows() const { return shape.size() < 2 ? 1 : shape[shape.size() - 2]; }
  int64_t columns() const { return shape.back(); }

  size_t row_bytes() const;       // of `data`
  size_t bytes() const;           // of all that the file holds of it
  std::string type_name() const;  // "Q4_K", "MLX-4bit", "MLX-nvfp4"
  // Rows `first`, `first` + 1, … as float32, as many as `to` has room for, which is whole rows.
  void read_rows(int64_t first, std::span<float> to) const;
};

// "[3, 8]", for messages.
std::string shape_text(const std::vector<int64_t>& shape);

// What a reader asked a model's files for: the names of tensors, and of metadata keys. See Weights::recorded.
struct ReadRecord {
  std::set<std::string, std::less<>> tensors;
  std::set<std::string, std::less<>> keys;
};

// A model's files, opened: its metadata and its tensors by name. Immutable; safe to use from any thread, but for what
// recorded() gives, which belongs to one thread.
class Weights {
 public:
  // `unreadable` names what the files hold beside: tensor → what is in it that emelex has no type for. `files` may be
  // empty where that is `path` alone.
  Weights(std::filesystem::path path, Metadata metadata, std::map<std::string, Tensor, std::less<>> tensors,
          std::map<std::string, std::string, std::less<>> unreadable = {},
          std::vector<std::filesystem::path> files = {}, FormatFacts facts = {});

  // The .gguf file, of several the first; or the folder of a model that is one.
  const std::filesystem::path& path() const { return content_->path; }
  // The files that the tensors are in, the first of several first.
  const std::vector<std::filesystem::path>& files() const { return content_->files; }
  const Metadata& metadata() const { return content_->metadata; }
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return content_->tensors; }
  // What find() throws for: tensor → what is in it.
  const std::map<std::string, std::string, std::less<>>& unreadable() const { return content_->unreadable; }

  // What the model's configuration says beyond GGUF's keys.
  const FormatFacts& facts() const { return content_->facts; }

  // The same files, sharing their content. Adds to `record` the name of each tensor that find() and require() are asked
  // for, and of each key that note_key() is told of.
  std::shared_ptr<const Weights> recorded(std::shared_ptr<ReadRecord> record) const;
  // Metadata has no record of its own: whoever reads a key for a model says so here (ConfigKeys does).
  void note_key(std::string_view key) const;

  // The tensor of that name, or nullptr. Throws Error(unsupported) when it is there and can't be read.
  const Tensor* find(std::string_view name) const;

  // The tensor of that name with exactly that shape. Throws Error(corrupt_file) naming the tensor, both shapes and the
  // file when it is missing or has another shape.
  const Tensor& require(std::string_view name, const std::vector<int64_t>& shape) const;

 private:
  struct Content {
    std::filesystem::path path;
    Metadata metadata;
    std::map<std::string, Tensor, std::less<>> tensors;
    std::map<std::string, std::string, std::less<>> unreadable;
    std::vector<std::filesystem::path> files;
    FormatFacts facts;
  };
  std::shared_ptr<const Content> content_;
  std::shared_ptr<ReadRecord> record_;
};

// Opens a model by path: a .gguf file, a folder with config.json and .safetensors files, or one of those. Of a model in
// several files any one may be named. Whatever the files are, tensors and metadata have GGUF's names. They are mapped,
// not read, so this is instant whatever the size. Throws Error: not_found, io, corrupt_file or unsupported, each naming
// the file and what is wrong with it.
std::shared_ptr<const Weights> open_weights(const std::filesystem::path& path);

}  // namespace emelex
