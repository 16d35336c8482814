// Experts in folders for mlx-lm, whatever the model's own files call them and however they lay them out.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/expect_error.h"
#include "base/strings.h"
#include "base/temporary_folder.h"
#include "engine/tiny_model.h"
#include "model_files/model_files.h"
#include "tools/quantize/quantize_model.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kExperts = 2;
constexpr int64_t kHidden = 3;
constexpr int64_t kDim = 32;

// Every row of the tensor, of all its matrices.
std::vector<std::vector<float>> rows_of(const Tensor& tensor) {
  int64_t n = 1;
  for (const int64_t size : tensor.shape) n *= size;
  std::vector<std::vector<float>> rows(static_cast<size_t>(n / tensor.columns()));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].resize(static_cast<size_t>(tensor.columns()));
    tensor.read_rows(static_cast<int64_t>(i), rows[i]);
  }
  return rows;
}

void check_close(const std::vector<float>& found, const std::vector<float>& expected, float step) {
  REQUIRE(found.size() == expected.size());
  const float largest = std::abs(
      *std::max_element(expected.begin(), expected.end(), [](float a, float b) { return std::abs(a) < std::abs(b); }));
  for (size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] - expected[i]) <= largest * step);
}

TinyTensor tensor(const std::string& name, std::vector<int64_t> shape, float first) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  std::vector<float> values(static_cast<size_t>(n));
  // No two rows of a tensor are alike.
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(first + 0.7F * static_cast<float>(i));
  return {name, "F32", std::move(shape), f32_data(values)};
}

// For models of some tensors alone.
QuantizeOptions partial() {
  QuantizeOptions options;
  options.partial = true;
  return options;
}

struct Folder {
  TemporaryFolder folder;
  fs::path source = folder.path() / "source";
  fs::path target = folder.path() / "target";

  Folder(std::string_view config, std::vector<TinyTensor> tensors) {
    tensors.push_back(tensor("model.embed_tokens.weight", {3, kDim}, 0.1F));
    tensors.push_back(tensor("lm_head.weight", {3, kDim}, 0.2F));
    fs::create_directory(source);
    folder.file("source/config.json",
                str_cat(R"({"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 3,
      "intermediate_size": 3, "num_local_experts": 2, "num_experts_per_tok": 1, )",
                        config, "}"));
    folder.file("source/model.safetensors", safetensors(tensors));
  }

  // The rows of gates and ups, which the source has in one tensor, where `row_of_both` says; → their type's name
  std::string check_gates_and_ups(const char* both, int64_t (*row_of_both)(int64_t i, bool up), float step) const {
    const auto before = open_model(source).weights;
    const auto after = open_model(target).weights;
    const auto expected = rows_of(*before->find(both));
    for (const bool up : {false, true}) {
      const Tensor& tensor = *after->find(up ? "blk.0.ffn_up_exps.weight" : "blk.0.ffn_gate_exps.weight");
      CHECK(tensor.shape == std::vector<int64_t>{kExperts, kHidden, kDim});
      const auto found = rows_of(tensor);
      for (size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        const auto expert = static_cast<int64_t>(i) / kHidden;
        const int64_t row = row_of_both(static_cast<int64_t>(i) % kHidden, up);
        check_close(found[i], expected[static_cast<size_t>(expert * 2 * kHidden + row)], step);
      }
    }
    return after->find("blk.0.ffn_up_exps.weight")->type_name();
  }
};

int64_t row_of_halves(int64_t i, bool up) { return up ? kHidden + i : i; }
int64_t row_of_pairs(int64_t i, bool up) { return 2 * i + (up ? 1 : 0); }

TEST_CASE("Experts of a GGUF file are as many in the folder, and its router has eight bits") {
  const TemporaryFolder folder;
  test::TinyModel model;
  model.experts = 4;
  test::write_random_model(folder.path() / "source.gguf", model);
  quantize_to_mlx(folder.path() / "source.gguf", folder.path() / "target", {.bits = 4, .group_size = 32}, {});
  const auto before = open_model(folder.path() / "source.gguf").weights;
  const auto after = open_model(folder.path() / "target").weights;
  for (const char* key : {"llama.expert_count", "llama.expert_used_count"}) {
    CHECK(after->metadata().integer(key) == before->metadata().integer(key));
  }
  const auto check = [&](const std::string& name, const char* type, float step) {
    CAPTURE(name);
    const Tensor& tensor = *after->find(name);
    CHECK(tensor.type_name() == type);
    CHECK(tensor.shape == before->find(name)->shape);
    const auto expected = rows_of(*before->find(name));
    const auto found = rows_of(tensor);
    for (size_t i = 0; i < expected.size(); ++i) check_close(found[i], expected[i], step);
  };
  check("blk.1.ffn_gate_inp.weight", "MLX-8bit", 0.01F);
  check("blk.1.ffn_gate_exps.weight", "MLX-4bit", 0.2F);
  check("blk.1.ffn_up_exps.weight", "MLX-4bit", 0.2F);
  check("blk.0.ffn_down_exps.weight", "MLX-4bit", 0.2F);
}

TEST_CASE("A GGUF file's window is the folder's") {
  const TemporaryFolder folder;
  test::TinyModel model;
  model.window = 48;
  test::write_random_model(folder.path() / "source.gguf", model);
  quantize_to_mlx(folder.path() / "source.gguf", folder.path() / "target", {.bits = 4, .group_size = 32}, {});
  CHECK(open_model(folder.path() / "target").weights->metadata().integer("llama.attention.sliding_window") == 48);
}

std::vector<TinyTensor> mixtral() {
  const std::string layer = "model.layers.0.block_sparse_moe.";
  return {tensor("model.layers.0.mlp.experts.gate_up_proj", {kExperts, 2 * kHidden, kDim}, 1),
          tensor(layer + "experts.0.w2.weight", {kDim, kDim}, 2),
          tensor(layer + "experts.1.w2.weight", {kDim, kDim}, 3)};
}

TEST_CASE("Gates above ups are taken apart, and experts each by itself put together") {
  const Folder f(R"("model_type": "mixtral")", mixtral());
  quantize_to_mlx(f.source, f.target, {.bits = 8, .group_size = 32}, partial());
  CHECK(f.check_gates_and_ups("blk.0.ffn_gate_up_exps.weight", row_of_halves, 0.01F) == "MLX-8bit");
  const auto down = rows_of(*open_model(f.target).weights->find("blk.0.ffn_down_exps.weight"));
  const auto before = open_model(f.source).weights;
  for (const size_t expert : {0U, 1U}) {
    const auto expected = rows_of(*before->find(str_cat("blk.0.ffn_down.", expert, ".weight")));
    for (size_t i = 0; i < expected.size(); ++i) check_close(down[expert * kDim + i], expected[i], 0.01F);
  }
}

TEST_CASE("Experts that are not all there, or not of one shape, are refused by name") {
  const auto refused = [](const std::vector<TinyTensor>& tensors, std::initializer_list<std::string_view> parts) {
    const Folder f(R"("model_type": "mixtral")", tensors);
    expect_error(ErrorCode::corrupt_file, parts, [&] { quantize_to_mlx(f.source, f.target, {}, partial()); });
    CHECK_FALSE(fs::exists(f.target));
  };
  auto tensors = mixtral();
  tensors.pop_back();
  refused(tensors, {"2 experts", "blk.0.ffn_down_exps.weight", "got 1"});
  tensors = mixtral();
  tensors[2].name = "model.layers.0.block_sparse_moe.experts.7.w2.weight";
  refused(tensors, {"2 experts", "blk.0.ffn_down_exps.weight"});
  tensors = mixtral();
  tensors[2].shape = {kDim / 2, 2 * kDim};
  refused(tensors, {"one shape", "blk.0.ffn_down_exps.weight"});
  tensors = mixtral();
  tensors[0] = tensor("model.layers.0.mlp.experts.gate_up_proj", {kExperts, 3, kDim}, 1);
  refused(tensors, {"blk.0.ffn_gate_up_exps.weight", "[2, 3, 32]"});
}

constexpr const char* kGptOss =
    R"("model_type": "gpt_oss", "rope_parameters": {"rope_type": "default", "rope_theta": 1e4})";

// Gates and ups of an expert in turn: the tensor's values, and their biases.
std::vector<TinyTensor> gpt_oss(TinyTensor pairs) {
  std::vector<float> biases;
  for (int i = 0; i < kExperts * 2 * kHidden; ++i) biases.push_back(static_cast<float>(i));
  return {std::move(pairs),
          {"model.layers.0.mlp.experts.gate_up_proj_bias", "F32", {kExperts, 2 * kHidden}, f32_data(biases)}};
}

TEST_CASE("Gates and ups in turn are taken apart, and so are their biases") {
  const Folder f(kGptOss, gpt_oss(tensor("model.layers.0.mlp.experts.gate_up_proj", {kExperts, kDim, 2 * kHidden}, 1)));
  quantize_to_mlx(f.source, f.target, {.bits = 8, .group_size = 32}, partial());
  CHECK(f.check_gates_and_ups("blk.0.ffn_gate_up_pairs.weight", row_of_pairs, 0.01F) == "MLX-8bit");
  const auto after = open_model(f.target).weights;
  CHECK(rows_of(*after->find("blk.0.ffn_gate_exps.bias")) == std::vector<std::vector<float>>{{0, 2, 4}, {6, 8, 10}});
  CHECK(rows_of(*after->find("blk.0.ffn_up_exps.bias")) == std::vector<std::vector<float>>{{1, 3, 5}, {7, 9, 11}});
}

TEST_CASE("Experts in MXFP4 stay as they are, bit for bit, while all else is rounded") {
  std::string bytes;
  for (int i = 0; i < kExperts * 2 * kHidden * 16; ++i) bytes += static_cast<char>(i * 37 + 11);
  std::vector<TinyTensor> tensors =
      gpt_oss({"model.layers.0.mlp.experts.gate_up_proj_blocks", "U8", {kExperts, 2 * kHidden, 1, 16}, bytes});
  std::string scales;
  for (int i = 0; i < kExperts * 2 * kHidden; ++i) scales += static_cast<char>(120 + i);
  tensors.push_back({"model.layers.0.mlp.experts.gate_up_proj_scales", "U8", {kExperts, 2 * kHidden, 1}, scales});
  const Folder f(str_cat(kGptOss, R"(, "quantization_config": {"quant_method": "mxfp4"})"), tensors);
  const QuantizeReport report = quantize_to_mlx(f.source, f.target, {.bits = 4, .group_size = 32}, partial());
  CHECK(f.check_gates_and_ups("blk.0.ffn_gate_up_pairs.weight", row_of_pairs, 0) == "MLX-mxfp4");
  CHECK(open_model(f.target).weights->find("output.weight")->type_name() == "MLX-4bit");
  for (const QuantizedTensor& tensor : report.tensors) {
    if (tensor.name.find("experts") == std::string::npos || tensor.name.ends_with("bias")) continue;
    CAPTURE(tensor.name);
    CHECK(tensor.from == "MLX-mxfp4");
    CHECK(tensor.to == "MLX-mxfp4");
    CHECK(tensor.bytes_before == tensor.bytes_after);
  }
  // A second time, of the folder that was made: now gates and ups are apart.
  QuantizeOptions options = partial();
  options.requantize = true;
  quantize_to_mlx(f.target, f.folder.path() / "second", {.bits = 8, .group_size = 32}, options);
  const auto once = open_model(f.target).weights;
  const auto twice = open_model(f.folder.path() / "second").weights;
  for (const char* name : {"blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight"}) {
    CHECK(rows_of(*twice->find(name)) == rows_of(*once->find(name)));
  }
}

}  // namespace
}  // namespace emelex
