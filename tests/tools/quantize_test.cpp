// Files of fewer bits: which types, the same metadata, the right numbers, and nothing half-written.
#include "quant/quantize.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "quant/dequantize.h"
#include "tools/quantize/mixture.h"
#include "tools/quantize/quantize_model.h"
#include "weights/gguf/gguf_writer.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

std::vector<float> random_values(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, 0.1F);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& x : values) x = normal(random);
  return values;
}

struct Shape {
  int layers = 8;
  int64_t columns = 256;
  int heads = 8;
  int kv_heads = 2;
  int experts = 0;
  bool tied = false;
};

// A file that names its tensors as models do; nothing could run it.
GgufWriter named_tensors(const Shape& shape) {
  GgufWriter file;
  file.add("general.architecture", "llama");
  file.add("llama.block_count", static_cast<uint32_t>(shape.layers));
  file.add("llama.attention.head_count", static_cast<uint32_t>(shape.heads));
  file.add("llama.attention.head_count_kv", static_cast<uint32_t>(shape.kv_heads));
  if (shape.experts > 0) file.add("llama.expert_count", static_cast<uint32_t>(shape.experts));
  file.add("odd.number", uint16_t{7});
  file.add("general.file_type", uint32_t{0});
  uint32_t seed = 0;
  const auto matrix = [&](const std::string& name, const std::vector<int64_t>& dimensions) {
    int64_t n = 1;
    for (const int64_t dimension : dimensions) n *= dimension;
    file.add_tensor(name, TensorType::f32, dimensions, random_values(n, ++seed));
  };
  matrix("token_embd.weight", {4, shape.columns});
  matrix("output_norm.weight", {shape.columns});
  if (!shape.tied) matrix("output.weight", {4, shape.columns});
  for (int i = 0; i < shape.layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    matrix(block + "attn_norm.weight", {shape.columns});
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      matrix(block + name + ".weight", {2, shape.columns});
    }
    if (shape.experts == 0) {
      matrix(block + "ffn_down.weight", {2, shape.columns});
    } else {
      matrix(block + "ffn_gate_inp.weight", {shape.experts, shape.columns});
      matrix(block + "ffn_down_exps.weight", {shape.experts, 2, shape.columns});
    }
  }
  return file;
}

struct Fixture {
  TemporaryFolder folder;
  fs::path source = folder.path() / "source.gguf";
  fs::path target = folder.path() / "target.gguf";

  explicit Fixture(const Shape& shape = {}) { named_tensors(shape).write(source); }
  QuantizeReport run(std::string_view mixture, const QuantizeOptions& options = {}) const {
    return quantize_to_gguf(source, target, mixture, options);
  }
  size_t n_files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
  }
};

// "blk.0.attn_v Q6_K" for each tensor that does not have the mixture's base type.
std::vector<std::string> exceptions(const Shape& shape, const char* mixture) {
  const Fixture f(shape);
  std::vector<std::string> found;
  const auto weights = open_weights(f.source);
  for (const PlannedTensor& planned : plan_tensors(*find_mixture(mixture), *weights, false)) {
    if (planned.type == find_mixture(mixture)->base || planned.tensor->shape.size() == 1) continue;
    found.push_back(planned.tensor->name.substr(0, planned.tensor->name.rfind('.')) + " " +
                    std::string(info(planned.type).name));
  }
  return found;
}

using Names = std::vector<std::string>;

TEST_CASE("the tensors that matter most get more bits, as in llama.cpp's files of that name") {
  CHECK(exceptions({.layers = 8}, "q4_k_m") ==
        Names{"output Q6_K", "blk.0.attn_v Q6_K", "blk.0.ffn_down Q6_K", "blk.3.attn_v Q6_K", "blk.3.ffn_down Q6_K",
              "blk.6.attn_v Q6_K", "blk.6.ffn_down Q6_K", "blk.7.attn_v Q6_K", "blk.7.ffn_down Q6_K"});
  CHECK(exceptions({.layers = 2}, "q6_k").empty());
  CHECK(exceptions({.layers = 1}, "q4_0") == Names{"output Q6_K"});
  CHECK(exceptions({.layers = 1, .tied = true}, "q4_0") == Names{"token_embd Q6_K"});
  CHECK(exceptions({.layers = 1}, "q8_0").empty());
  CHECK(exceptions({.layers = 1}, "q2_k") ==
        Names{"output Q6_K", "blk.0.attn_output Q3_K", "blk.0.attn_v Q4_K", "blk.0.ffn_down Q3_K"});
  CHECK(exceptions({.layers = 1, .kv_heads = 4}, "q2_k") ==
        Names{"output Q6_K", "blk.0.attn_output Q3_K", "blk.0.attn_v Q3_K", "blk.0.ffn_down Q3_K"});
}

TEST_CASE("a model of eight experts keeps keys and values at eight bits, and its router as it is") {
  CHECK(exceptions({.layers = 1, .experts = 8}, "q4_k_m") ==
        Names{"output Q6_K", "blk.0.attn_k Q8_0", "blk.0.attn_output Q5_K", "blk.0.attn_v Q8_0",
              "blk.0.ffn_down_exps Q6_K", "blk.0.ffn_gate_inp F32"});
  CHECK(exceptions({.layers = 1, .experts = 4}, "mxfp4_moe") ==
        Names{"output Q8_0", "token_embd Q8_0", "blk.0.attn_k Q8_0", "blk.0.attn_output Q8_0", "blk.0.attn_q Q8_0",
              "blk.0.attn_v Q8_0", "blk.0.ffn_gate_inp F32"});
}

TEST_CASE("rows that blocks of 256 do not divide get a type with blocks of 32, and others float16") {
  CHECK(exceptions({.layers = 1, .columns = 96, .tied = true}, "q4_k_m") ==
        Names{"token_embd Q8_0", "blk.0.attn_k Q5_0", "blk.0.attn_output Q5_0", "blk.0.attn_q Q5_0",
              "blk.0.attn_v Q8_0", "blk.0.ffn_down Q8_0"});
  CHECK(exceptions({.layers = 1, .columns = 40, .tied = true}, "q4_0").front() == "token_embd F16");
}

TEST_CASE("a file has the rounded values of every tensor and all metadata as it was") {
  const Fixture f;
  const QuantizeReport report = f.run("q5_k_m");
  const auto before = open_weights(f.source);
  const auto after = open_weights(f.target);
  CHECK(after->tensors().size() == before->tensors().size());
  CHECK(report.tensors.size() == before->tensors().size());
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : after->tensors()) {
    CAPTURE(name);
    const Tensor& from = *before->find(name);
    CHECK(tensor.shape == from.shape);
    std::vector<float> values(from.data.size() / 4);
    dequantize(from.type, from.data, values);
    const std::vector<std::byte> expected = quantize(tensor.type, values);
    CHECK(std::equal(tensor.data.begin(), tensor.data.end(), expected.begin(), expected.end()));
    bytes += tensor.data.size();
  }
  CHECK(report.bytes_after == bytes);
  for (const auto& [key, value] : before->metadata().values()) {
    CAPTURE(key);
    if (key == "general.file_type") continue;
    CHECK(*after->metadata().find(key) == value);
    CHECK(after->metadata().width(key) == before->metadata().width(key));
  }
  CHECK(after->metadata().integer("general.file_type") == 17);
  CHECK(after->metadata().integer("general.quantization_version") == 2);
}

TEST_CASE("the same file comes out of any number of threads") {
  const Fixture f({.layers = 3, .columns = 512});
  const auto bytes = [&](int threads) {
    QuantizeOptions options;
    options.threads = threads;
    f.run("q4_k_m", options);
    std::ifstream in(f.target, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  };
  const std::string one = bytes(1);
  CHECK(bytes(3) == one);
}

TEST_CASE("weights that are rounded already are refused, or taken when that is asked for") {
  const Fixture f;
  f.run("q8_0");
  const fs::path second = f.folder.path() / "second.gguf";
  expect_error(ErrorCode::unsupported, {"Q8_0", "--requantize"},
               [&] { quantize_to_gguf(f.target, second, "q4_0", {}); });
  CHECK_FALSE(fs::exists(second));
  QuantizeOptions options;
  options.requantize = true;
  CHECK_NOTHROW(quantize_to_gguf(f.target, second, "q4_0", options));
  CHECK_NOTHROW(quantize_to_gguf(f.target, second, "q8_0", {}));  // nothing is rounded twice
}

TEST_CASE("what can't be written leaves the file that was there and nothing else") {
  const Fixture f;
  std::ofstream(f.target) << "old";
  const auto check_old = [&] {
    CHECK(fs::file_size(f.target) == 3);
    CHECK(f.n_files() == 2);
  };
  expect_error(ErrorCode::invalid_argument, {"q4_k_x", "q4_k_m"}, [&] { f.run("q4_k_x"); });
  check_old();
  std::atomic<bool> cancel{false};
  QuantizeOptions options;
  options.cancel = &cancel;
  options.progress = [&](const QuantizeProgress& progress) { cancel = progress.tensor == 5; };
  expect_error(ErrorCode::cancelled, {"[quantize]"}, [&] { f.run("q4_0", options); });
  check_old();
  expect_error(ErrorCode::invalid_argument, {"source.gguf"}, [&] { quantize_to_gguf(f.source, f.source, "q4_0", {}); });
  CHECK_NOTHROW(open_weights(f.source));
  expect_error(ErrorCode::not_found, {"nowhere"},
               [&] { quantize_to_gguf(f.source, f.folder.path() / "nowhere" / "x.gguf", "q4_0", {}); });
  check_old();
}

TEST_CASE("numbers that no scale can hold are named, with their row") {
  const auto run = [](float bad, const char* mixture) {
    const TemporaryFolder folder;
    GgufWriter file;
    file.add("general.architecture", "llama");
    std::vector<float> values = random_values(8 * 64, 1);
    values[3 * 64 + 5] = bad;
    file.add_tensor("blk.0.attn_q.weight", TensorType::f32, {8, 64}, values);
    file.write(folder.path() / "a.gguf");
    quantize_to_gguf(folder.path() / "a.gguf", folder.path() / "b.gguf", mixture, {});
  };
  expect_error(ErrorCode::corrupt_file, {"blk.0.attn_q.weight", "row 3", "nan"}, [&] { run(NAN, "q4_0"); });
  expect_error(ErrorCode::corrupt_file, {"blk.0.attn_q.weight", "row 3", "inf"}, [&] { run(INFINITY, "bf16"); });
  expect_error(ErrorCode::corrupt_file, {"row 3", "bf16"}, [&] { run(70000.0F, "f16"); });
  CHECK_NOTHROW(run(70000.0F, "bf16"));
}

TEST_CASE("a tokenizer that GGUF has no name for is refused, not left out") {
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model";
  fs::create_directories(model);
  std::ofstream(model / "config.json") << tiny_llama_config();
  std::ofstream(model / "model.safetensors", std::ios::binary) << safetensors(tiny_llama_tensors());
  std::ofstream(model / "tokenizer.json")
      << R"({"model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "?": 2}, "unk_token": "?"}})";
  const fs::path target = folder.path() / "out.gguf";
  expect_error(ErrorCode::unsupported, {"[quantize]", "tokenizer.json", "--mlx"},
               [&] { quantize_to_gguf(model, target, "f16", {}); });
  CHECK(!fs::exists(target));
}

TEST_CASE("a Hugging Face folder becomes a GGUF file with its rows in GGUF's order") {
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model";
  fs::create_directory(model);
  std::ofstream(model / "config.json") << tiny_llama_config();
  std::ofstream(model / "model.safetensors", std::ios::binary) << safetensors(tiny_llama_tensors());
  const fs::path target = folder.path() / "out.gguf";
  expect_error(ErrorCode::unsupported, {"tokenizer.json"}, [&] { quantize_to_gguf(model, target, "f32", {}); });
  CHECK_FALSE(fs::exists(target));
  std::ofstream(model / "tokenizer.json") << R"({"pre_tokenizer": {"type": "ByteLevel"},
      "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})";
  quantize_to_gguf(model, target, "f32", {});
  const auto before = open_weights(model);
  const auto after = open_weights(target);
  CHECK(*after->metadata().strings("tokenizer.ggml.tokens") == std::vector<std::string>{"a", "b", "ab"});
  CHECK_FALSE(after->facts().rope_pairs);
  CHECK(after->metadata().require_string("general.architecture") == "llama");
  const auto rows_of = [](const Weights& weights, const char* name) {
    const Tensor* tensor = weights.find(name);
    std::vector<std::vector<float>> rows;
    for (int64_t row = 0; row < tensor->rows(); ++row) {
      tensor->read_rows(row, rows.emplace_back(static_cast<size_t>(tensor->columns())));
    }
    return rows;
  };
  const auto heads = *before->metadata().integer("llama.attention.head_count");
  const auto from = rows_of(*before, "blk.0.attn_q.weight");
  const auto to = rows_of(*after, "blk.0.attn_q.weight");
  const size_t head_dim = from.size() / static_cast<size_t>(heads);
  for (size_t row = 0; row < from.size(); ++row) {
    const size_t i = row % head_dim;
    CHECK(to[row] == from[row - i + i % 2 * (head_dim / 2) + i / 2]);
  }
  CHECK(rows_of(*after, "blk.0.attn_v.weight") == rows_of(*before, "blk.0.attn_v.weight"));
}

}  // namespace
}  // namespace emelex
