#include "quant/tensor_type.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/expect_error.h"

namespace emelex {
namespace {

TEST_CASE("Rows have the bytes of GGUF's block layouts") {
  CHECK(row_bytes(TensorType::f32, 3) == 12);
  CHECK(row_bytes(TensorType::f16, 3) == 6);
  CHECK(row_bytes(TensorType::bf16, 3) == 6);
  CHECK(row_bytes(TensorType::q4_0, 64) == 36);
  CHECK(row_bytes(TensorType::q4_1, 64) == 40);
  CHECK(row_bytes(TensorType::q8_0, 64) == 68);
  CHECK(info(TensorType::q8_0).name == "Q8_0");
}

TEST_CASE("Types are found by GGUF's names") {
  for (int i = 0; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<TensorType>(i);
    CAPTURE(i);
    REQUIRE(!info(type).name.empty());
    CHECK(tensor_type_named(info(type).name) == type);
  }
  CHECK(tensor_type_named("Q4_K") == TensorType::q4_k);
  CHECK(tensor_type_named("TQ2_0") == TensorType::tq2_0);
  CHECK_FALSE(tensor_type_named("q4_k"));
  CHECK_FALSE(tensor_type_named(""));
}

TEST_CASE("A row that is not a whole number of blocks, or too long to count, is an error") {
  expect_error(ErrorCode::corrupt_file, {"32", "Q4_0", "33"}, [] { (void)row_bytes(TensorType::q4_0, 33); });
  expect_error(ErrorCode::corrupt_file, {"-32"}, [] { (void)row_bytes(TensorType::q4_0, -32); });
  expect_error(ErrorCode::corrupt_file, {"fit"},
               [] { (void)row_bytes(TensorType::f32, std::numeric_limits<int64_t>::max()); });
}

}  // namespace
}  // namespace emelex
