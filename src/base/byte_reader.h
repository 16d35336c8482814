#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace emelex {

// What ByteReader::read can return.
template <class T>
concept StoredNumber = !std::same_as<T, bool> && (std::integral<T> || std::floating_point<T>);

// The one cursor over the bytes of a file: little-endian, bounded, every read checked. What goes wrong is an
// Error(corrupt_file) that names the component, what was expected, the offset and the file. Does not own the bytes.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string component, std::string source)
      : bytes_(bytes), component_(std::move(component)), source_(std::move(source)) {}

  size_t size() const { return bytes_.size(); }
  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

  // The next number. `what` names it in the message when it is not there: "the number of tensors".
  template <StoredNumber T>
  T read(std::string_view what) {
    if constexpr (std::integral<T>) {
      return static_cast<T>(unsigned_number(sizeof(T), what));
    } else if constexpr (sizeof(T) == 4) {
      return std::bit_cast<T>(static_cast<uint32_t>(unsigned_number(4, what)));
    } else {
      static_assert(sizeof(T) == 8);
      return std::bit_cast<T>(unsigned_number(8, what));
    }
  }

  // The next `n` bytes, where they lie.
  std::span<const std::byte> bytes(uint64_t n, std::string_view what);
  std::string_view text(uint64_t n, std::string_view what);

  // Throws unless `count` things of `size` bytes each are left. To be called before anything is allocated for them.
  void require(uint64_t count, uint64_t size, std::string_view what) const;

  // Throws Error(corrupt_file): "[component] expected `expected`, got `got` at offset N of FILE".
  [[noreturn]] void fail(std::string_view expected, std::string_view got) const;

 private:
  uint64_t unsigned_number(size_t width, std::string_view what);

  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
  std::string component_;
  std::string source_;
};

}  // namespace emelex
