// One case for each way in which the first part of a GGUF file can lie.
#include <doctest/doctest.h>

#include <limits>

#include "base/expect_error.h"
#include "weights/tiny_gguf.h"

namespace emelex {
namespace {

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

void expect_corrupt(const RawGguf& file, std::initializer_list<std::string_view> parts) {
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)read_bytes(file); });
}

void expect_unsupported(const RawGguf& file, std::initializer_list<std::string_view> parts) {
  expect_error(ErrorCode::unsupported, parts, [&] { (void)read_bytes(file); });
}

TEST_CASE("A file of another format is refused") {
  expect_corrupt(RawGguf().raw("GGML").number(uint32_t{3}), {"'GGUF'", "'GGML'", "tiny.gguf"});
  expect_corrupt(RawGguf(), {"magic", "tiny.gguf"});
}

TEST_CASE("Versions other than 2 and 3 are refused by name") {
  expect_unsupported(RawGguf().header(0, 0, 1), {"version 2 or 3", "version 1", "tiny.gguf"});
  expect_unsupported(RawGguf().header(0, 0, 4), {"version 4"});
  expect_unsupported(RawGguf().header(0, 0, 0), {"version 0"});
}

TEST_CASE("A big-endian file is recognized and refused") {
  expect_unsupported(RawGguf().raw("GGUF").raw(std::string_view("\0\0\0\x03", 4)).number(uint64_t{0}), {"big-endian"});
  expect_unsupported(RawGguf().raw("GGUF").raw(std::string_view("\0\0\0\x02", 4)).number(uint64_t{0}), {"big-endian"});
}

TEST_CASE("Counts of tensors and keys that no file can hold are refused before anything is allocated") {
  expect_corrupt(RawGguf().header(kHuge, 0), {"tensors", "negative or huge"});
  expect_corrupt(RawGguf().header(uint64_t{1} << 40, 0), {"at most 65536 tensors", "1099511627776"});
  expect_corrupt(RawGguf().header(60'000, 0), {"list of tensors", "60000", "only 0 bytes"});
  expect_corrupt(RawGguf().header(0, kHuge), {"keys"});
  expect_corrupt(RawGguf().header(0, 60'000), {"end"});
}

TEST_CASE("A string's length is not believed") {
  expect_corrupt(RawGguf().header(0, 1).number(kHuge), {"a metadata key of at most 65535 bytes"});
  expect_corrupt(RawGguf().header(0, 1).number(uint64_t{1000}).raw("abc"), {"1000 bytes", "only 3 bytes"});
  const RawGguf value = RawGguf().header(0, 1).key("k", GgufType::string);
  expect_corrupt(RawGguf(value).number(kHuge), {"at most 16777216 bytes"});
  expect_corrupt(RawGguf(value).number(uint64_t{1} << 63), {"at most 16777216 bytes"});
  expect_corrupt(RawGguf(value).number(uint64_t{16'000'000}), {"16000000 bytes", "only 0 bytes"});
}

TEST_CASE("Keys with the prefix that emelex once kept for itself are refused") {
  for (const char* key : {"emelex.tokenizer_json", "emelex.rope.interleaved", "emelex.", "emelex.no_such_key"}) {
    CAPTURE(key);
    expect_unsupported(RawGguf().header(0, 1).key(key, GgufType::string).string("{}"), {"emelex.", key, "tiny.gguf"});
  }
  CHECK_NOTHROW(read_bytes(RawGguf().header(0, 1).key("emelexer.x", GgufType::string).string("{}")));
}

TEST_CASE("An array's length is not believed, for any type of value") {
  for (uint32_t type = 0; type <= 12; ++type) {
    CAPTURE(type);
    const RawGguf start = RawGguf().header(0, 1).key("k", GgufType::array).number(type);
    for (const uint64_t n : {kHuge, kHuge / 8 + 2, uint64_t{1} << 61, uint64_t{1} << 32, uint64_t{10'000'000}}) {
      expect_corrupt(RawGguf(start).number(n).raw("abc"), {"tiny.gguf"});
    }
  }
}

TEST_CASE("Values and arrays of unknown types are refused") {
  expect_corrupt(RawGguf().header(0, 1).string("k").number(uint32_t{13}).number(uint64_t{0}), {"'k'", "type 13"});
  expect_corrupt(
      RawGguf().header(0, 1).key("k", GgufType::array).number(uint32_t{99}).number(uint64_t{1}).number(uint64_t{0}),
      {"'k'", "type 99"});
}

TEST_CASE("An array of arrays is refused, however deep it would go") {
  RawGguf file = RawGguf().header(0, 1).key("k", GgufType::array);
  for (int i = 0; i < 10'000; ++i) file.type(GgufType::array).number(uint64_t{1});
  expect_corrupt(file, {"'k'", "an array of arrays"});
}

TEST_CASE("A boolean is 0 or 1") {
  expect_corrupt(RawGguf().header(0, 1).key("k", GgufType::boolean).number(uint8_t{2}), {"boolean", "got 2"});
  expect_corrupt(
      RawGguf().header(0, 1).key("k", GgufType::array).type(GgufType::boolean).number(uint64_t{1}).number(uint8_t{255}),
      {"boolean", "got 255"});
}

TEST_CASE("A key that is there twice is refused, and shown so that it can't harm a terminal") {
  RawGguf file = RawGguf().header(0, 2);
  for (int i = 0; i < 2; ++i) file.key("a\x1b[2J\nb", GgufType::uint8).number(uint8_t{1});
  expect_corrupt(file, {"'a\\x1b[2J\\x0ab'", "twice", "tiny.gguf"});
}

RawGguf with_alignment(uint32_t alignment) {
  return RawGguf().header(1, 1).key("general.alignment", GgufType::uint32).number(alignment).tensor("t", {8}, 0, 0);
}

TEST_CASE("An alignment is a power of two within bounds, and an integer") {
  CHECK(read_bytes(with_alignment(64).data(64 + 32))->find("t") != nullptr);
  for (const uint32_t wrong : {0U, 1U, 4U, 1U << 21, 0xFFFFFFFFU}) {
    expect_corrupt(with_alignment(wrong).data(64), {"general.alignment", "got " + std::to_string(wrong)});
  }
  expect_corrupt(with_alignment(24).data(64), {"general.alignment", "power of two", "24"});
  expect_corrupt(RawGguf().header(0, 1).key("general.alignment", GgufType::string).string("32"),
                 {"general.alignment", "an integer", "a string"});
  expect_corrupt(RawGguf().header(0, 1).key("general.alignment", GgufType::int64).number(int64_t{-32}),
                 {"general.alignment", "-32"});
}

TEST_CASE("One part of a model in several files is refused as such") {
  const auto split = [](uint16_t parts) {
    return RawGguf().header(0, 1).key("split.count", GgufType::uint16).number(parts);
  };
  expect_unsupported(split(3), {"one of 3 parts"});
  CHECK_NOTHROW((void)read_bytes(split(1)));
  CHECK_NOTHROW((void)read_bytes(split(0)));
}

}  // namespace
}  // namespace emelex
