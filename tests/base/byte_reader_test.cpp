#include "base/byte_reader.h"

#include <doctest/doctest.h>

#include <array>
#include <limits>

#include "base/expect_error.h"

namespace emelex {
namespace {

template <size_t N>
std::span<const std::byte> bytes_of(const std::array<uint8_t, N>& values) {
  return std::as_bytes(std::span(values));
}

constexpr std::array<uint8_t, 8> kBytes = {0x01, 0x02, 0x03, 0x84, 0x05, 0x06, 0x07, 0x88};

TEST_CASE("Numbers are read little-endian, whatever the machine") {
  ByteReader reader(bytes_of(kBytes), "test", "file.bin");
  CHECK(reader.read<uint8_t>("x") == 0x01);
  CHECK(reader.read<uint16_t>("x") == 0x0302);
  CHECK(reader.read<int8_t>("x") == -0x7C);
  CHECK(reader.read<uint32_t>("x") == 0x88070605U);
  CHECK(reader.remaining() == 0);
}

TEST_CASE("Signed and floating-point numbers keep their bits") {
  ByteReader reader(bytes_of(kBytes), "test", "file.bin");
  CHECK(reader.read<int64_t>("x") == static_cast<int64_t>(0x8807060584030201U));
  constexpr std::array<uint8_t, 12> numbers = {0, 0, 0xC0, 0xBF, 0, 0, 0, 0, 0, 0, 0x04, 0x40};
  ByteReader floats(bytes_of(numbers), "test", "file.bin");
  CHECK(floats.read<float>("x") == -1.5F);
  CHECK(floats.read<double>("x") == 2.5);
}

TEST_CASE("Reading past the end is an error that names the part, what was expected, the offset and the file") {
  ByteReader reader(bytes_of(kBytes), "test", "file.bin");
  (void)reader.bytes(5, "a header");
  expect_error(ErrorCode::corrupt_file, {"[test] expected the count", "3 bytes", "offset 5", "file.bin"},
               [&] { (void)reader.read<uint32_t>("the count"); });
  CHECK(reader.offset() == 5);  // nothing was read
  CHECK(reader.text(3, "a name").size() == 3);
}

TEST_CASE("A length near 2^64 is an error, not an overflow") {
  ByteReader reader(bytes_of(kBytes), "test", "file.bin");
  (void)reader.read<uint8_t>("x");
  constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
  expect_error(ErrorCode::corrupt_file, {"a name"}, [&] { (void)reader.bytes(kHuge, "a name"); });
  expect_error(ErrorCode::corrupt_file, {"a list"}, [&] { reader.require(kHuge / 8 + 1, 8, "a list"); });
  reader.require(7, 1, "the rest");
}

TEST_CASE("An empty file has nothing to read") {
  ByteReader reader({}, "test", "file.bin");
  CHECK(reader.bytes(0, "nothing").empty());
  expect_error(ErrorCode::corrupt_file, {"file.bin"}, [&] { (void)reader.read<uint8_t>("x"); });
}

}  // namespace
}  // namespace emelex
