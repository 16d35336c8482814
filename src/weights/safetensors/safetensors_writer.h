#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emelex {

// The beginning of a SafeTensors file: its tensors' data follows in the order in which they were declared, without
// gaps.
class SafeTensorsWriter {
 public:
  // `dtype` as in the file, "F16"; `bytes` of data.
  void declare(std::string name, std::string dtype, std::vector<int64_t> shape, uint64_t bytes);

  uint64_t data_bytes() const { return data_bytes_; }
  const std::vector<std::string>& names() const { return names_; }

  // The length and the header, padded so that the data begins at a multiple of 8.
  std::vector<std::byte> header() const;

 private:
  struct Entry {
    std::string dtype;
    std::vector<int64_t> shape;
    uint64_t begin;
    uint64_t end;
  };
  std::vector<std::string> names_;
  std::vector<Entry> entries_;
  uint64_t data_bytes_ = 0;
};

}  // namespace emelex
