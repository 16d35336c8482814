#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/tensor_type.h"
#include "weights/metadata.h"

namespace emelex {

// Makes a GGUF file: metadata and tensors in the order in which they were added. Held in memory until it is written,
// so for small models; large ones declare their tensors and stream them. Throws Error(invalid_argument) for what would
// not make a valid file.
//
//   GgufWriter file;
//   file.add("general.architecture", "llama");
//   file.add_tensor("output.weight", TensorType::f32, {vocab, dim}, values);
//   file.write("model.gguf");
class GgufWriter {
 public:
  // `alignment` of the tensors' data in bytes: a power of two from 8. It becomes the key general.alignment.
  explicit GgufWriter(uint32_t version = 3, uint32_t alignment = 32);

  // A value of exactly the type of its C++ type: (u)int8_t … (u)int64_t, float, double, bool, std::string, or a
  // std::vector of one of them.
  template <class T>
  void add(std::string_view key, const T& value);
  void add(std::string_view key, const char* value) { add(key, std::string(value)); }

  // A value as Metadata holds it, its numbers in `width` bytes each. Without a width integers get the narrowest of 32
  // and 64 bits that holds them, numbers float32 where that is exact: what other programs expect of the usual keys.
  void add_value(std::string_view key, const Metadata::Value& value, int width = 0);

  // `shape` is outermost first, as in Tensor; `data` has the stored bytes, as quantize() makes them.
  void add_tensor(std::string_view name, TensorType type, const std::vector<int64_t>& shape,
                  std::vector<std::byte> data);

  // float32 values, quantized to `type`.
  void add_tensor(std::string_view name, TensorType type, const std::vector<int64_t>& shape,
                  std::span<const float> values);

  // A tensor whose bytes will follow the header; see header.
  void declare_tensor(std::string_view name, TensorType type, const std::vector<int64_t>& shape);

  // All that stands before the tensors' data. They follow in order, each padded with zeros to the alignment: whoever
  // declares tensors writes this, then their bytes and padding() zeros after each.
  std::vector<std::byte> header() const;
  size_t padding(size_t bytes) const;

  // The whole file; nothing may have been declared only.
  std::vector<std::byte> bytes() const;

  // Replaces `path`. Throws Error(io).
  void write(const std::filesystem::path& path) const;

 private:
  struct TensorEntry {
    std::string name;
    TensorType type;
    std::vector<int64_t> shape;
    size_t size;  // bytes
    std::vector<std::byte> data;
  };

  uint32_t version_;
  uint32_t alignment_;
  std::set<std::string, std::less<>> keys_;
  std::vector<std::byte> metadata_;
  std::vector<TensorEntry> tensors_;
};

}  // namespace emelex
