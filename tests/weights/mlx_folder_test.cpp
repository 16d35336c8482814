// Folders that MLX quantized: three tensors of a module are one, in a format that config.json says.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "base/expect_error.h"
#include "base/strings.h"
#include "base/temporary_folder.h"
#include "quant/mlx_formats.h"
#include "weights/safetensors/hf_config.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

constexpr const char* kDown = "model.layers.0.mlp.down_proj";
constexpr const char* kFourBits = R"(, "quantization": {"group_size": 64, "bits": 4, "mode": "affine"})";
const MlxFormat kFormat{MlxMode::affine, 4, 64, TensorType::f16};

// The tiny Llama's tensors, with those of one module replaced.
std::vector<TinyTensor> with_module(const std::string& module, const std::vector<TinyTensor>& tensors) {
  std::vector<TinyTensor> all;
  for (const TinyTensor& tensor : tiny_llama_tensors()) {
    if (tensor.name != module + ".weight") all.push_back(tensor);
  }
  all.insert(all.end(), tensors.begin(), tensors.end());
  return all;
}

std::shared_ptr<const Weights> read_down(std::string_view more_config, const std::vector<TinyTensor>& module) {
  return read_tiny(tiny_llama_config(more_config), safetensors(with_module(kDown, module)));
}

std::span<const std::byte> bytes_of(const TinyTensor& tensor) { return std::as_bytes(std::span(tensor.data)); }

bool same(std::span<const std::byte> a, std::span<const std::byte> b) { return std::ranges::equal(a, b); }

std::string quantization(const MlxFormat& format) {
  return str_cat(R"({"group_size": )", format.group_size, R"(, "bits": )", format.bits, R"(, "mode": ")",
                 mlx_mode_name(format.mode), "\"}");
}

}  // namespace

TEST_CASE("A quantized module of every format is one tensor of its numbers' shape") {
  for (const MlxFormat& format : test::all_mlx_formats()) {
    INFO(quantization(format));
    const auto module = mlx_module(kDown, 5, 384, format);
    for (const char* key : {"quantization", "quantization_config"}) {
      const auto weights = read_down(str_cat(", \"", key, "\": ", quantization(format)), module);
      const Tensor& tensor = weights->require("blk.0.ffn_down.weight", {5, 384});
      CHECK((tensor.type == TensorType::mlx));
      REQUIRE(tensor.mlx != nullptr);
      CHECK((tensor.mlx->format == format));
      CHECK(same(tensor.data, bytes_of(module[0])));
      CHECK(same(tensor.mlx->scales, bytes_of(module[1])));
      CHECK(same(tensor.mlx->biases, module.size() > 2 ? bytes_of(module[2]) : std::span<const std::byte>()));
      CHECK(tensor.row_bytes() == tensor.data.size() / 5);
      CHECK(tensor.bytes() == module[0].data.size() + (module.size() - 1) * module[1].data.size());
      CHECK(weights->find(std::string(kDown) + ".scales") == nullptr);
      CHECK(weights->tensors().size() == 12);
    }
  }
}

TEST_CASE("Rows are read as MLX's numbers") {
  for (const MlxFormat& format : test::all_mlx_formats()) {
    INFO(quantization(format));
    const auto weights = read_down(", \"quantization\": " + quantization(format), mlx_module(kDown, 5, 384, format));
    const Tensor& tensor = *weights->find("blk.0.ffn_down.weight");
    std::vector<float> all(5 * size_t{384});
    dequantize_mlx(format, tensor.data, tensor.mlx->scales, tensor.mlx->biases, all);
    std::vector<float> two(2 * size_t{384});
    tensor.read_rows(3, two);
    CHECK(std::memcmp(two.data(), &all[3 * size_t{384}], two.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("A type's name tells what is stored") {
  const auto name = [](const MlxFormat& format) {
    return read_down(", \"quantization\": " + quantization(format), mlx_module(kDown, 1, 128, format))
        ->find("blk.0.ffn_down.weight")
        ->type_name();
  };
  CHECK(name(kFormat) == "MLX-4bit");
  CHECK(name({MlxMode::affine, 6, 128}) == "MLX-6bit");
  CHECK(name(default_mlx_format(MlxMode::nvfp4)) == "MLX-nvfp4");
  CHECK(read_down("", {})->find("blk.0.attn_q.weight")->type_name() == "F32");
}

TEST_CASE("A module's own entry goes before what holds for all, and takes MLX's defaults where it says nothing") {
  const std::string all = R"(, "quantization": {"group_size": 128, "bits": 3, ")";
  const auto format = [&](const std::string& own, const MlxFormat& stored) {
    return read_down(all + kDown + "\": " + own + "}", mlx_module(kDown, 2, 256, stored))
        ->find("blk.0.ffn_down.weight")
        ->mlx->format;
  };
  const MlxFormat eight{MlxMode::affine, 8, 32, TensorType::bf16};
  CHECK((format(R"({"bits": 8, "group_size": 32})", eight) == eight));
  const MlxFormat six{MlxMode::affine, 6, 64, TensorType::f32};
  CHECK((format(R"({"bits": 6})", six) == six));
  const MlxFormat nvfp4 = default_mlx_format(MlxMode::nvfp4);
  CHECK((format(R"({"mode": "nvfp4", "quantize_input": false})", nvfp4) == nvfp4));
  const MlxFormat three{MlxMode::affine, 3, 128, TensorType::f16};
  CHECK((format("true", three) == three));
}

TEST_CASE("Modules without scales stay plain, and entries of modules that are not there say nothing") {
  const std::string config = R"(, "quantization": {"group_size": 64, "bits": 4, "model.layers.0.mlp.up_proj": false,
    "model.layers.7.mlp.up_proj": {"bits": 8}, "quant_method": "mlx", "embed_scale": 2.5, "none": null})";
  const auto weights = read_down(config, mlx_module(kDown, 8, 64, kFormat));
  CHECK((weights->find("blk.0.ffn_down.weight")->type == TensorType::mlx));
  CHECK((weights->find("blk.0.ffn_up.weight")->type == TensorType::f32));
  CHECK(weights->find("blk.0.ffn_up.weight")->mlx == nullptr);
  CHECK((weights->find("blk.0.ffn_gate.weight")->type == TensorType::f32));
}

TEST_CASE("Bits and groups of a matrix that the configuration does not name follow from its shape") {
  const MlxFormat stored{MlxMode::affine, 4, 32, TensorType::f16};
  const auto format = [&](std::string_view more) {
    const std::string config =
        str_cat(R"(, "intermediate_size": 64, "quantization": {"group_size": 64, "bits": 8)", more, "}");
    return read_down(config, mlx_module(kDown, 8, 64, stored))->find("blk.0.ffn_down.weight")->mlx->format;
  };
  CHECK((format("") == stored));
  CHECK((format(R"(, "model.layers.0.mlp.down_proj.weight": {"bits": 2})") == stored));  // under another name
  CHECK((format(R"(, "calibration": {"bits": "all"}, "kv_cache": {"bits": 1})") == stored));
  const std::string named = R"(, "model.layers.0.mlp.down_proj": {"bits": 8, "group_size": 64})";
  expect_error(ErrorCode::corrupt_file, {"down_proj"}, [&] { (void)format(named); });
}

TEST_CASE("An embedding may be quantized, tied or not; a tied one's copy is left out") {
  auto tensors = with_module("model.embed_tokens", mlx_module("model.embed_tokens", 3, 64, kFormat));
  const auto untied = read_tiny(tiny_llama_config(kFourBits), safetensors(tensors));
  CHECK((untied->require("token_embd.weight", {3, 64}).type == TensorType::mlx));
  CHECK((untied->find("output.weight")->type == TensorType::f32));

  tensors.erase(tensors.begin() + 10);  // lm_head.weight
  const std::string tied = tiny_llama_config(std::string(kFourBits) + R"(, "tie_word_embeddings": true)");
  CHECK(read_tiny(tied, safetensors(tensors))->find("output.weight") == nullptr);
  const auto copy = mlx_module("lm_head", 3, 64, kFormat);
  tensors.insert(tensors.end(), copy.begin(), copy.end());
  const auto weights = read_tiny(tied, safetensors(tensors));
  CHECK((weights->require("token_embd.weight", {3, 64}).type == TensorType::mlx));
  CHECK(weights->find("output.weight") == nullptr);
}

TEST_CASE("A module's tensors may lie in different files, which stay mapped") {
  const TemporaryFolder folder;
  const auto module = mlx_module(kDown, 4, 128, kFormat);
  auto first = with_module(kDown, {module[0]});
  const std::vector<TinyTensor> second = {module[1], module[2]};
  std::string index = R"({"weight_map": {)";
  for (const TinyTensor& tensor : first) index += "\"" + tensor.name + R"(": "a.safetensors",)";
  for (const TinyTensor& tensor : second) index += "\"" + tensor.name + R"(": "b.safetensors",)";
  index.back() = '}';
  folder.file("config.json", tiny_llama_config(kFourBits));
  folder.file("a.safetensors", safetensors(first));
  folder.file("b.safetensors", safetensors(second));
  folder.file("model.safetensors.index.json", index + "}");
  auto weights = open_weights(folder.path());
  const Tensor tensor = *weights->find("blk.0.ffn_down.weight");
  weights.reset();
  CHECK(same(tensor.data, bytes_of(module[0])));
  CHECK(same(tensor.mlx->scales, bytes_of(module[1])));
  CHECK(same(tensor.mlx->biases, bytes_of(module[2])));
}

}  // namespace emelex
