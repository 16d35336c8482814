// One case for each way in which a GGUF file's list of tensors can lie.
#include <doctest/doctest.h>

#include <limits>

#include "base/expect_error.h"
#include "base/strings.h"
#include "weights/gguf/gguf_format.h"
#include "weights/tiny_gguf.h"

namespace emelex {
namespace {

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ4_0 = 2;

// A file with one tensor, "t", and data for it.
RawGguf one_tensor(const std::vector<uint64_t>& dimensions, uint32_t type = kF32, uint64_t offset = 0,
                   size_t data = 256) {
  return RawGguf().header(1, 0).tensor("t", dimensions, type, offset).data(data);
}

void expect_corrupt(const RawGguf& file, std::initializer_list<std::string_view> parts) {
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)read_bytes(file); });
}

TEST_CASE("Dimensions whose product or size in bytes overflows are refused") {
  expect_corrupt(one_tensor({uint64_t{1} << 32, uint64_t{1} << 32}), {"'t'", "overflow", "tiny.gguf"});
  expect_corrupt(one_tensor({uint64_t{1} << 16, uint64_t{1} << 16, uint64_t{1} << 16, uint64_t{1} << 16}),
                 {"'t'", "overflow"});
  expect_corrupt(one_tensor({uint64_t{1} << 31, uint64_t{1} << 31}), {"'t'", "overflow"});  // times 4 bytes
  expect_corrupt(one_tensor({uint64_t{1} << 62}), {"'t'", "overflow"});
  expect_corrupt(one_tensor({3, 0x5555555555555556}), {"'t'", "overflow"});  // the product wraps to 2
}

TEST_CASE("A dimension is above zero and below 2^63") {
  expect_corrupt(one_tensor({0}), {"'t'", "got 0"});
  expect_corrupt(one_tensor({8, 0}), {"'t'", "got 0"});
  expect_corrupt(one_tensor({kHuge}), {"'t'", "18446744073709551615"});
  expect_corrupt(one_tensor({uint64_t{1} << 63}), {"'t'"});
}

TEST_CASE("A tensor has one to four dimensions") {
  CHECK_NOTHROW((void)read_bytes(one_tensor({1, 1, 1, 1})));
  expect_corrupt(one_tensor({1, 1, 1, 1, 1}), {"1 to 4 dimensions", "'t'", "got 5"});
  expect_corrupt(one_tensor({}), {"1 to 4 dimensions", "got 0"});
  expect_corrupt(RawGguf().header(1, 0).string("t").number(uint32_t{0xFFFFFFFF}).data(64), {"4294967295"});
}

TEST_CASE("A quantized row is a whole number of blocks, even if all rows together are") {
  CHECK_NOTHROW((void)read_bytes(one_tensor({64}, kQ4_0)));
  expect_corrupt(one_tensor({16, 2}, kQ4_0), {"Q4_0", "multiple of 32", "'t'", "rows of 16"});
  expect_corrupt(one_tensor({33}, kQ4_0), {"rows of 33"});
}

TEST_CASE("A tensor's data lies within the file") {
  CHECK_NOTHROW((void)read_bytes(one_tensor({64})));
  expect_corrupt(one_tensor({65}), {"'t'", "within 256 bytes", "260 bytes from 0", "tiny.gguf"});
  expect_corrupt(one_tensor({64}, kF32, 32), {"'t'", "256 bytes from 32"});
  expect_corrupt(one_tensor({8}, kF32, 256), {"'t'", "32 bytes from 256"});
  expect_corrupt(one_tensor({8}, kF32, uint64_t{1} << 40), {"'t'"});
  expect_corrupt(one_tensor({8}, kF32, kHuge - 31), {"'t'"});  // offset + size wraps to 0
  expect_corrupt(one_tensor({uint64_t{1} << 60}), {"'t'"});
}

TEST_CASE("A list of tensors at the very end of the file has no data behind it") {
  expect_corrupt(RawGguf().header(1, 0).tensor("t", {8}, kF32, 0), {"tensor data", "end of the file"});
}

TEST_CASE("A tensor's offset keeps the alignment") {
  expect_corrupt(one_tensor({8}, kF32, 16), {"offset", "'t'", "multiple of 32", "16"});
  expect_corrupt(one_tensor({8}, kF32, 1), {"multiple of 32"});
}

TEST_CASE("Tensors that share bytes are refused") {
  const auto two = [](uint64_t offset) {
    return RawGguf().header(2, 0).tensor("b", {16}, kF32, offset).tensor("a", {16}, kF32, 0).data(256);
  };
  CHECK_NOTHROW((void)read_bytes(two(64)));
  expect_corrupt(two(32), {"'a' and 'b'", "overlap"});
  expect_corrupt(two(0), {"overlap"});
}

TEST_CASE("A tensor that is there twice is refused") {
  expect_corrupt(RawGguf().header(2, 0).tensor("t", {8}, kF32, 0).tensor("t", {8}, kF32, 32).data(64),
                 {"'t' twice", "tiny.gguf"});
}

TEST_CASE("A tensor's name is short") {
  expect_corrupt(RawGguf().header(1, 0).tensor(std::string(300, 'n'), {8}, kF32, 0).data(64), {"at most 256 bytes"});
  CHECK_NOTHROW((void)read_bytes(RawGguf().header(1, 0).tensor(std::string(64, 'n'), {8}, kF32, 0).data(64)));
}

TEST_CASE("Types that emelex does not have are refused by number, and by name where they have one") {
  const auto expect_unsupported = [](uint32_t type, std::string_view text) {
    expect_error(ErrorCode::unsupported, {text, "'t'", "Q8_0", "tiny.gguf"},
                 [&] { (void)read_bytes(one_tensor({256}, type)); });
  };
  expect_unsupported(9, "Q8_1 (type 9)");  // only between kernels
  expect_unsupported(40, "NVFP4 (type 40)");
  expect_unsupported(41, "Q1_0 (type 41)");
  expect_unsupported(42, "Q2_0 (type 42)");
  expect_unsupported(24, "I8 (type 24)");
  expect_unsupported(4, "got type 4");  // given up long ago
  expect_unsupported(1000, "got type 1000");
  expect_unsupported(0xFFFFFFFF, "got type 4294967295");
}

TEST_CASE("Every type that emelex has is read by the number that it is written with") {
  for (int i = 0; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<TensorType>(i);
    CAPTURE(info(type).name);
    CHECK(tensor_type_of_gguf(gguf_number_of(type)) == type);
    CHECK(gguf_tensor_type_text(gguf_number_of(type)) ==
          str_cat(info(type).name, " (type ", gguf_number_of(type), ")"));
  }
  CHECK(gguf_number_of(TensorType::q6_k) == 14);
  CHECK(gguf_number_of(TensorType::mxfp4) == 39);
}

}  // namespace
}  // namespace emelex
