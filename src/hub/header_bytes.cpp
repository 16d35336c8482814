// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, https://github.com/huggingface/safetensors
#include "hub/header_bytes.h"

#include <cstdint>
#include <cstring>
#include <iterator>

namespace emelex {
namespace {

constexpr uint64_t kMostHeaderBytes = uint64_t{512} << 20;  // no model's is nearly as long
constexpr uint32_t kString = 8;
constexpr uint32_t kArray = 9;
constexpr int kMostDepth = 4;  // of arrays in arrays
constexpr uint32_t kMostDimensions = 8;

// Bytes end within the header, or are none.
enum class Stop { more_needed, no_header };

class GgufWalk {
 public:
  explicit GgufWalk(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t walk() {
    constexpr uint32_t kMagic = 0x46554747;
    if (number<uint32_t>() != kMagic) throw Stop::no_header;
    const auto version = number<uint32_t>();
    if (version < 2 || version > 3) throw Stop::no_header;
    const auto tensors = number<uint64_t>();
    const auto keys = number<uint64_t>();
    for (uint64_t i = 0; i < keys; ++i) {
      skip_string();
      skip_value(number<uint32_t>(), 0);
    }
    for (uint64_t i = 0; i < tensors; ++i) skip_tensor();
    return at_;
  }

 private:
  template <class T>
  T number() {
    skip(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + at_ - sizeof(T), sizeof(T));
    return value;
  }

  void skip(uint64_t n) {
    if (n > kMostHeaderBytes) throw Stop::no_header;
    if (n > bytes_.size() - at_) throw Stop::more_needed;
    at_ += static_cast<size_t>(n);
  }

  void skip_string() { skip(number<uint64_t>()); }

  static uint64_t bytes_of(uint32_t type) {
    constexpr uint64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type >= std::size(kBytes) || kBytes[type] == 0) throw Stop::no_header;
    return kBytes[type];
  }

  void skip_value(uint32_t type, int depth) {
    if (type == kString) return skip_string();
    if (type != kArray) return skip(bytes_of(type));
    if (depth > kMostDepth) throw Stop::no_header;
    const auto inner = number<uint32_t>();
    const auto n = number<uint64_t>();
    if (n > kMostHeaderBytes) throw Stop::no_header;
    if (inner != kString && inner != kArray) return skip(n * bytes_of(inner));
    for (uint64_t i = 0; i < n; ++i) skip_value(inner, depth + 1);
  }

  void skip_tensor() {
    skip_string();
    const auto dimensions = number<uint32_t>();
    if (dimensions > kMostDimensions) throw Stop::no_header;
    skip(dimensions * sizeof(uint64_t) + sizeof(uint32_t) + sizeof(uint64_t));
  }

  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

}  // namespace

std::optional<size_t> gguf_header_bytes(std::span<const std::byte> begin) {
  try {
    return GgufWalk(begin).walk();
  } catch (const Stop stop) {
    const bool wait = stop == Stop::more_needed && begin.size() < kMostHeaderBytes;
    return wait ? std::nullopt : std::optional(begin.size());
  }
}

std::optional<size_t> safetensors_header_bytes(std::span<const std::byte> begin) {
  uint64_t length = 0;
  if (begin.size() < sizeof(length)) return {};
  std::memcpy(&length, begin.data(), sizeof(length));
  if (length > kMostHeaderBytes) return begin.size();
  const auto header = static_cast<size_t>(length) + sizeof(length);
  return header <= begin.size() ? std::optional(header) : std::nullopt;
}

}  // namespace emelex
