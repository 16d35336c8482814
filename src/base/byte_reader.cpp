#include "base/byte_reader.h"

#include "base/checked.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

uint64_t ByteReader::unsigned_number(size_t width, std::string_view what) {
  const std::span<const std::byte> from = bytes(width, what);
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) value |= std::to_integer<uint64_t>(from[i]) << (8 * i);
  return value;
}

std::span<const std::byte> ByteReader::bytes(uint64_t n, std::string_view what) {
  require(n, 1, what);
  const std::span<const std::byte> result = bytes_.subspan(offset_, static_cast<size_t>(n));
  offset_ += static_cast<size_t>(n);
  return result;
}

std::string_view ByteReader::text(uint64_t n, std::string_view what) {
  const std::span<const std::byte> from = bytes(n, what);
  return {reinterpret_cast<const char*>(from.data()), from.size()};
}

void ByteReader::require(uint64_t count, uint64_t size, std::string_view what) const {
  const std::optional<uint64_t> total = checked_mul(count, size);
  if (total && *total <= remaining()) return;
  const std::string times = size == 1 ? std::string() : str_cat(" times ", size);
  fail(str_cat(what, " of ", count, times, count == 1 && size == 1 ? " byte" : " bytes"),
       str_cat("only ", remaining(), " bytes up to the end"));
}

void ByteReader::fail(std::string_view expected, std::string_view got) const {
  throw Error(ErrorCode::corrupt_file, str_cat("[", component_, "] expected ", expected, ", got ", got, " at offset ",
                                               offset_, " of ", source_));
}

}  // namespace emelex
