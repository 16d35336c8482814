// What does not fit together in a folder that MLX quantized is named.
#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "base/strings.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

constexpr const char* kDown = "model.layers.0.mlp.down_proj";
constexpr const char* kFourBits = R"("group_size": 64, "bits": 4)";
const MlxFormat kFormat{MlxMode::affine, 4, 64, TensorType::f16};

std::vector<TinyTensor> down(const MlxFormat& format = kFormat) { return mlx_module(kDown, 4, 128, format); }

std::shared_ptr<const Weights> read(std::string_view quantization, const std::vector<TinyTensor>& module) {
  std::vector<TinyTensor> tensors;
  for (const TinyTensor& tensor : tiny_llama_tensors()) {
    if (tensor.name != std::string(kDown) + ".weight") tensors.push_back(tensor);
  }
  tensors.insert(tensors.end(), module.begin(), module.end());
  const std::string more = quantization.empty() ? "" : str_cat(R"(, "quantization": {)", quantization, "}");
  return read_tiny(tiny_llama_config(more), safetensors(tensors));
}

void expect_corrupt(std::string_view quantization, const std::vector<TinyTensor>& module,
                    std::initializer_list<std::string_view> parts) {
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)read(quantization, module); });
}

void expect_refused_config(std::string_view quantization, ErrorCode code,
                           std::initializer_list<std::string_view> parts) {
  expect_error(code, parts, [&] { (void)read(quantization, down()); });
}

// A module in which one tensor is another.
std::vector<TinyTensor> with(size_t i, const std::string& dtype, const std::vector<int64_t>& shape, size_t bytes,
                             const MlxFormat& format = kFormat) {
  auto module = down(format);
  module[i].dtype = dtype;
  module[i].shape = shape;
  module[i].data.assign(bytes, '\1');
  return module;
}

}  // namespace

TEST_CASE("A quantized module without scales or biases, or with biases that its mode has not, is refused") {
  auto module = down();
  expect_corrupt(kFourBits, {module[0]},
                 {"down_proj.scales' beside", "down_proj.weight'", "none", "model.safetensors"});
  expect_corrupt(kFourBits, {module[0], module[2]}, {"down_proj.scales' beside", "none"});
  expect_corrupt(kFourBits, {module[0], module[1]}, {"down_proj.biases' beside", "none", "model.safetensors"});

  module = down(default_mlx_format(MlxMode::mxfp4));
  module.push_back(down(kFormat)[2]);
  expect_corrupt(R"("mode": "mxfp4")", module, {"no biases", "mxfp4", "down_proj.biases'"});
  // Scales of no weight are the model's business, which needs the weight.
  expect_error(ErrorCode::corrupt_file, {"blk.0.ffn_down.weight'", "no such tensor"}, [&] {
    (void)read(kFourBits, {module[1]})->require("blk.0.ffn_down.weight", {4, 128});
  });
}

TEST_CASE("Shapes that do not fit each other or the format are named with what they should be") {
  expect_corrupt(
      kFourBits, with(1, "F16", {4, 1}, 8),
      {"down_proj.scales' of shape [4, 2]", "[4, 16]", "4 bits", "groups of 64", "got [4, 1]", "model.safetensors"});
  expect_corrupt(kFourBits, with(1, "F16", {2, 4}, 16), {"[4, 2]", "got [2, 4]"});
  expect_corrupt(kFourBits, with(1, "F16", {8}, 16), {"[4, 2]", "got [8]"});
  expect_corrupt(kFourBits, with(2, "F16", {4, 3}, 24), {"down_proj.biases' of shape [4, 2]", "got [4, 3]"});
  expect_corrupt(kFourBits, with(0, "U32", {4, 15}, 240), {"whole groups", "down_proj.weight'", "rows of 15 words"});
  expect_corrupt(kFourBits, with(0, "U32", {4, 4}, 64), {"whole groups", "rows of 4 words"});
  expect_corrupt(kFourBits, with(0, "U32", {64}, 256), {"a matrix", "down_proj.weight'", "[64]"});
  expect_corrupt(kFourBits, with(0, "U32", {0, 16}, 0), {"a matrix", "[0, 16]"});
  expect_corrupt(kFourBits, with(0, "U32", {4, 0}, 0), {"a matrix", "[4, 0]"});
  // As another number of bits or another group size would have it.
  expect_corrupt(R"("group_size": 64, "bits": 8)", down(), {"of shape [4, 1]", "8 bits", "got [4, 2]"});
  expect_corrupt(R"("group_size": 32, "bits": 4)", down(), {"of shape [4, 4]", "groups of 32", "got [4, 2]"});
  expect_corrupt(R"("group_size": 64, "bits": 3)", down(), {"whole groups", "3 bits", "rows of 16 words"});
  expect_corrupt(str_cat(kFourBits, ", \"", kDown, R"(": {"bits": 8})"), down(), {"of shape [4, 1]", "8 bits"});
}

TEST_CASE("Tensors of other types than the mode's are refused") {
  expect_corrupt(kFourBits, with(0, "I32", {4, 16}, 256), {"U32", "down_proj.weight'", "'I32'"});
  expect_corrupt(kFourBits, with(0, "F32", {4, 16}, 256), {"U32", "'F32'"});
  expect_corrupt(kFourBits, with(1, "U8", {4, 2}, 8), {"down_proj.biases' in U8", "'F16'"});
  auto module = with(1, "U8", {4, 2}, 8);
  module[2] = {module[2].name, "U8", {4, 2}, module[1].data};
  expect_corrupt(kFourBits, module, {"F32, F16 or BF16", "down_proj.scales'", "'U8'"});
  expect_corrupt(kFourBits, with(2, "BF16", {4, 2}, 16), {"down_proj.biases' in F16", "'BF16'"});
  const MlxFormat mxfp8 = default_mlx_format(MlxMode::mxfp8);
  expect_corrupt(R"("mode": "mxfp8")", with(1, "F16", {4, 4}, 32, mxfp8),
                 {"U8", "down_proj.scales'", "mxfp8", "'F16'"});
}

TEST_CASE("What config.json and the files say about a module must agree") {
  expect_corrupt("", down(), {"'quantization'", "down_proj.weight'", "none", "tiny/config.json"});
  expect_corrupt(str_cat(kFourBits, ", \"", kDown, "\": false"), down(),
                 {"down_proj.weight' to be plain", "config.json", "a quantized one", "model.safetensors"});
  expect_corrupt(str_cat(kFourBits, R"(, "model.layers.0.mlp.up_proj": {"bits": 8})"), down(),
                 {"up_proj.scales' beside", "up_proj.weight'", "none"});
  expect_corrupt(str_cat(kFourBits, R"(, "model.layers.0.mlp.up_proj": true)"), down(), {"up_proj.scales'", "none"});
  auto module = down();
  module.push_back({std::string(kDown) + ".global_scale", "F32", {1}, f32_data({1})});
  expect_error(ErrorCode::unsupported, {"scale over a whole matrix", "down_proj.global_scale'"},
               [&] { (void)read(kFourBits, module); });
}

TEST_CASE("A quantization that MLX does not have is refused with its numbers") {
  constexpr ErrorCode kUnsupported = ErrorCode::unsupported;
  constexpr ErrorCode kCorrupt = ErrorCode::corrupt_file;
  expect_refused_config(R"("bits": 7, "group_size": 64)", kUnsupported,
                        {"'quantization'", "affine with 7 bits in groups of 64", "tiny/config.json"});
  expect_refused_config(R"("bits": 4, "group_size": 16)", kUnsupported, {"4 bits in groups of 16"});
  expect_refused_config(R"("mode": "mxfp4", "group_size": 64)", kUnsupported, {"mxfp4 with 4 bits in groups of 64"});
  expect_refused_config(R"("mode": "affine2")", kUnsupported, {"'quantization.mode'", "nvfp4", "'affine2'"});
  expect_refused_config(R"("mode": 4)", kCorrupt, {"'quantization.mode'", "a string"});
  expect_refused_config(R"("bits": "4")", kCorrupt, {"'quantization.bits'"});
  expect_refused_config(R"("bits": 0)", kCorrupt, {"'quantization.bits'", "'0'"});
  expect_refused_config(R"("group_size": -64)", kCorrupt, {"'quantization.group_size'", "'-64'"});
  expect_refused_config(R"("bits": 4294967300)", kCorrupt, {"'quantization.bits'"});
  expect_refused_config(str_cat(kFourBits, R"(, "lm_head": {"bits": 9})"), kUnsupported,
                        {"'quantization.lm_head'", "9 bits"});
  expect_refused_config(str_cat(kFourBits, R"(, "lm_head": {"bits": null, "group_size": 0})"), kCorrupt,
                        {"'quantization.lm_head.group_size'"});
}

}  // namespace emelex
