// Folders in MLX's format, made of GGUF files and read again.
#include <doctest/doctest.h>

#include <atomic>
#include <fstream>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "engine/tiny_model.h"
#include "model_files/model_files.h"
#include "quant/mlx_quants.h"
#include "tools/quantize/quantize_model.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

struct Fixture {
  TemporaryFolder folder;
  fs::path source = folder.path() / "source.gguf";
  fs::path target = folder.path() / "target";

  explicit Fixture(const test::TinyModel& model = {}) { test::write_random_model(source, model); }
  QuantizeReport run(const MlxTarget& format = {}, const QuantizeOptions& options = {}) const {
    return quantize_to_mlx(source, target, format, options);
  }
  size_t n_entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
  }
};

std::vector<float> values_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.rows() * tensor.columns()));
  tensor.read_rows(0, values);
  return values;
}

TEST_CASE("a folder of a GGUF file has its sizes, tokens, template and special tokens") {
  const Fixture f;
  f.run();
  const auto before = gguf_metadata(open_model(f.source));
  const auto after = gguf_metadata(open_model(f.target));
  const auto same = [&](const char* key) {
    CAPTURE(key);
    CHECK(after->integer(key) == before->integer(key));
  };
  for (const char* key : {"llama.block_count", "llama.embedding_length", "llama.feed_forward_length",
                          "llama.attention.head_count", "llama.attention.head_count_kv", "llama.context_length",
                          "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"}) {
    same(key);
  }
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    CAPTURE(key);
    CHECK(*after->strings(key) == *before->strings(key));
  }
  CHECK(after->integers("tokenizer.ggml.token_type") == before->integers("tokenizer.ggml.token_type"));
  for (const char* key : {"tokenizer.ggml.pre", "tokenizer.chat_template"}) {
    CHECK(after->string(key) == before->string(key));
  }
}

TEST_CASE("its matrices are the rounded ones, and rows and biases of queries and keys are in Hugging Face's order") {
  test::TinyModel model;
  model.biases = true;
  const Fixture f(model);
  const QuantizeReport report = f.run({.bits = 8, .group_size = 32});
  const auto before = open_model(f.source).weights;
  const auto after = open_model(f.target).weights;
  const auto n_layers = static_cast<size_t>(*before->metadata().integer("llama.block_count"));
  CHECK(report.tensors.size() == after->tensors().size());
  CHECK(after->tensors().size() == before->tensors().size() + 2 * n_layers);  // biases of values and of the output
  CHECK(after->facts().rope_pairs == RopePairs::halves);
  const int64_t heads = *before->metadata().integer("llama.attention.head_count");
  const int64_t kv_heads = *before->metadata().integer("llama.attention.head_count_kv");
  for (const auto& [name, tensor] : after->tensors()) {
    CAPTURE(name);
    if (before->find(name) == nullptr) {
      CHECK(values_of(tensor) == std::vector<float>(values_of(tensor).size()));
      continue;
    }
    const Tensor& from = *before->find(name);
    REQUIRE(tensor.shape == from.shape);
    const std::vector<float> expected = values_of(from);
    const std::vector<float> found = values_of(tensor);
    const auto columns = static_cast<size_t>(tensor.shape.size() == 1 ? 1 : tensor.columns());
    const bool query = name.find("attn_q.") != std::string::npos;
    const bool moved = query || name.find("attn_k.") != std::string::npos;
    const auto head_dim = found.size() / columns / static_cast<size_t>(query ? heads : kv_heads);
    float largest = 0;
    for (const float x : expected) largest = std::max(largest, std::abs(x));
    for (size_t i = 0; i < found.size(); ++i) {
      size_t row = i / columns;
      if (moved) {
        const size_t at = row % head_dim;
        row = row - at + at % (head_dim / 2) * 2 + at / (head_dim / 2);
      }
      CHECK(std::abs(found[i] - expected[row * columns + i % columns]) <= largest * 0.006F);
    }
  }
}

TEST_CASE("a folder of a folder keeps its files, and what is rounded needs a word") {
  const Fixture f;
  f.run({.bits = 8, .group_size = 32});
  const fs::path second = f.folder.path() / "second";
  expect_error(ErrorCode::unsupported, {"--requantize"}, [&] { quantize_to_mlx(f.target, second, {}, {}); });
  CHECK(f.n_entries() == 2);
  QuantizeOptions options;
  options.requantize = true;
  quantize_to_mlx(f.target, second, {.bits = 4, .group_size = 32}, options);
  const auto text = [](const fs::path& path) {
    std::ifstream in(path);
    return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  };
  CHECK(text(second / "tokenizer.json") == text(f.target / "tokenizer.json"));
  CHECK(text(second / "config.json").find("\"bits\": 4") != std::string::npos);
  CHECK(open_model(second).weights->tensors().size() == open_model(f.target).weights->tensors().size());
}

TEST_CASE("what can't be written leaves the folder that was there and nothing else") {
  const Fixture f;
  f.run();
  const auto time = fs::last_write_time(f.target / "config.json");
  const auto check_old = [&] {
    CHECK(fs::last_write_time(f.target / "config.json") == time);
    CHECK(f.n_entries() == 2);
  };
  std::atomic<bool> cancel{false};
  QuantizeOptions options;
  options.cancel = &cancel;
  options.progress = [&](const QuantizeProgress& progress) { cancel = progress.tensor == 5; };
  expect_error(ErrorCode::cancelled, {"[quantize]"}, [&] { f.run({}, options); });
  check_old();
  expect_error(ErrorCode::invalid_argument, {"7 bits"}, [&] { f.run({.bits = 7, .group_size = 64}); });
  check_old();
  std::ofstream(f.target / "mine") << "precious";
  expect_error(ErrorCode::invalid_argument, {"which holds 'mine'"}, [&] { f.run(); });
  check_old();
  fs::remove(f.target / "mine");
  f.run();
  CHECK(f.n_entries() == 2);
  expect_error(ErrorCode::invalid_argument, {"target"}, [&] { quantize_to_mlx(f.target, f.target, {}, {}); });
}

}  // namespace
}  // namespace emelex
