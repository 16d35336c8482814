#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights/gguf/gguf_format.h"
#include "weights/weights.h"

namespace emelex {

// A GGUF file written number by number, so that it can be wrong in any way.
class RawGguf {
 public:
  template <std::integral T>
  RawGguf& number(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      bytes_ += static_cast<char>((static_cast<uint64_t>(value) >> (8 * i)) & 0xFF);
    return *this;
  }
  RawGguf& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  RawGguf& string(std::string_view text) { return number(uint64_t{text.size()}).raw(text); }
  RawGguf& type(GgufType type) { return number(static_cast<uint32_t>(type)); }

  RawGguf& header(uint64_t n_tensors, uint64_t n_keys, uint32_t version = 3) {
    return raw("GGUF").number(version).number(n_tensors).number(n_keys);
  }
  RawGguf& key(std::string_view name, GgufType value_type) { return string(name).type(value_type); }

  // An entry of the list of tensors, its dimensions in the file's order: innermost first.
  RawGguf& tensor(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type_number,
                  uint64_t offset) {
    string(name).number(static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t dimension : dimensions) number(dimension);
    return number(type_number).number(offset);
  }

  // Zeros up to a multiple of 32, and then the tensors' data.
  RawGguf& data(size_t n) {
    bytes_.resize((bytes_.size() + 31) / 32 * 32);
    bytes_.append(n, '\x11');
    return *this;
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads bytes as a file named "tiny.gguf". They are copied into memory of exactly their size, so that a sanitizer sees
// a read past the end.
std::shared_ptr<const Weights> read_bytes(std::string_view bytes);
inline std::shared_ptr<const Weights> read_bytes(const RawGguf& file) { return read_bytes(file.bytes()); }

// A valid file of about 2 KB with a metadata value and array of every type and a tensor of every type. The last tensor
// ends where the file ends.
std::string complete_gguf(uint32_t version = 3, uint32_t alignment = 32);

}  // namespace emelex
