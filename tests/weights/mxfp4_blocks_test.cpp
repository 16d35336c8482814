// MXFP4 as transformers stores it, and matrices that it stores as [columns, rows].
#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "weights/tiny_safetensors.h"
#include "weights/transposed.h"

namespace emelex {
namespace {

constexpr const char* kMxfp4 = R"(, "quantization_config": {"quant_method": "mxfp4"})";

// Two experts of one row of two groups: the numbers of E2M1 in turn, and scales of 1, 2, 1/2 and 1.
std::vector<TinyTensor> blocks() {
  std::string bytes;
  for (int i = 0; i < 64; ++i) bytes += static_cast<char>(i * 2 % 16 + (i * 2 + 1) % 16 * 16);
  return {{"experts.down_blocks", "U8", {2, 1, 2, 16}, bytes},
          {"experts.down_scales", "U8", {2, 1, 2}, "\x7F\x80\x7E\x7F"}};
}

std::shared_ptr<const Weights> open(const std::vector<TinyTensor>& more) {
  std::vector<TinyTensor> tensors = tiny_llama_tensors();
  tensors.insert(tensors.end(), more.begin(), more.end());
  return read_tiny(tiny_llama_config(kMxfp4), safetensors(tensors));
}

void expect_corrupt(std::vector<TinyTensor> tensors, std::initializer_list<std::string_view> parts) {
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)open(tensors); });
}

TEST_CASE("Blocks and scales are one tensor of the numbers that they mean") {
  const auto weights = open(blocks());
  const Tensor& tensor = weights->require("experts.down", {2, 1, 64});
  CHECK(tensor.type_name() == "MLX-mxfp4");
  CHECK(weights->tensors().count("experts.down_scales") == 0);
  const float numbers[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0F, -0.5, -1, -1.5, -2, -3, -4, -6};
  const float scales[] = {1, 2, 0.5, 1};
  std::vector<float> values(128);
  tensor.read_rows(0, values);
  for (size_t i = 0; i < values.size(); ++i) CHECK(values[i] == numbers[i % 16] * scales[i / 32]);
}

TEST_CASE("Blocks without fitting scales are refused by name") {
  auto tensors = blocks();
  tensors.pop_back();
  expect_corrupt(tensors, {"experts.down_blocks", "scales"});
  tensors = blocks();
  tensors[1] = {"experts.down_scales", "U8", {2, 2}, "1234"};
  expect_corrupt(tensors, {"experts.down_scales", "[2, 1, 2]", "[2, 2]"});
  tensors[1] = {"experts.down_scales", "I8", {2, 1, 2}, "1234"};
  expect_corrupt(tensors, {"experts.down_scales", "'I8'"});
  tensors = blocks();
  tensors[0].shape = {2, 1, 4, 8};
  expect_corrupt(tensors, {"experts.down_blocks", "[2, 1, 4, 8]"});
}

TEST_CASE("A transposed stack of matrices has each of them transposed") {
  const auto weights =
      read_tiny(tiny_llama_config(), safetensors([] {
                  auto tensors = tiny_llama_tensors();
                  tensors.push_back({"stack", "F32", {2, 2, 3}, f32_data({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})});
                  return tensors;
                }()));
  const Tensor turned = transposed(weights->require("stack", {2, 2, 3}));
  CHECK(turned.shape == std::vector<int64_t>{2, 3, 2});
  std::vector<float> values(12);
  turned.read_rows(0, values);
  CHECK(values == std::vector<float>{1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12});
  expect_error(ErrorCode::unsupported, {"'vector'", "[4]"}, [&] {
    Tensor vector = turned;
    vector.name = "vector";
    vector.shape = {4};
    (void)transposed(vector);
  });
}

}  // namespace
}  // namespace emelex
