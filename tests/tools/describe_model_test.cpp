#include "tools/describe_model.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/temporary_folder.h"
#include "engine/tiny_model.h"
#include "weights/gguf/gguf_writer.h"

namespace emelex {
namespace {

using State = ChatTemplateDescription::State;

ModelDescription describe(const GgufWriter& file) {
  const TemporaryFolder folder;
  file.write(folder.path() / "m.gguf");
  return describe_model(folder.path() / "m.gguf");
}

// A file of an architecture that emelex lacks.
GgufWriter strange_file() {
  GgufWriter file;
  file.add("general.architecture", "strange");
  file.add_tensor("t", TensorType::f32, {1}, std::vector<float>(1));
  return file;
}

TEST_CASE("a model is described by its metadata and tensors") {
  const TemporaryFolder folder;
  test::write_random_model(folder.path() / "tiny.gguf");
  const auto model = describe_model(folder.path() / "tiny.gguf");
  CHECK(model.format == "GGUF");
  CHECK(model.name == "Tiny");
  CHECK(model.architecture == "llama");
  CHECK(model.not_run == "");
  REQUIRE(model.files.size() == 1);
  CHECK(model.files[0].bytes == static_cast<int64_t>(std::filesystem::file_size(folder.path() / "tiny.gguf")));
  CHECK(model.file_bytes == model.files[0].bytes);
  CHECK(model.layers == 2);
  CHECK(model.dim == 32);
  CHECK(model.vocab_size == 268);
  CHECK(model.context_length == 128);
  CHECK(model.heads == LayerSizes{4});
  CHECK(model.kv_heads == LayerSizes{2});
  CHECK(model.ffn_dim == LayerSizes{64});
  CHECK(model.head_dim == 16);
  CHECK(model.rope.dimensions == 16);
  CHECK(!model.rope.base);
  // Two tables; in each layer q and output, k and v, three matrices of the MLP, two norms; the last norm.
  const int64_t parameters = 2 * 268 * 32 + 2 * (2 * 64 * 32 + 2 * 32 * 32 + 3 * 64 * 32 + 2 * 32) + 32;
  CHECK(model.parameters == parameters);
  CHECK(model.weight_bytes == 4 * parameters);
  CHECK(bits_per_weight(model.weight_bytes, model.parameters) == 32);
}

TEST_CASE("the tokenizer's facts are told without its vocabulary") {
  const TemporaryFolder folder;
  test::write_random_model(folder.path() / "tiny.gguf");
  const auto tokenizer = describe_model(folder.path() / "tiny.gguf").tokenizer;
  CHECK(tokenizer.model == "gpt2");
  CHECK(tokenizer.pre == "gpt-2");
  CHECK(tokenizer.vocab_size == 268);
  REQUIRE(tokenizer.bos);
  CHECK(tokenizer.bos->id == 265);
  CHECK(tokenizer.bos->name == "<|im_start|>");
  REQUIRE(tokenizer.eos);
  CHECK(tokenizer.eos->name == "<|im_end|>");
  CHECK(!tokenizer.adds_bos);
}

TEST_CASE("memory is the weights and a cache of the context that a session gets") {
  const TemporaryFolder folder;
  const auto memory = [&](int context) {
    test::TinyModel tiny;
    tiny.context = context;
    test::write_random_model(folder.path() / "tiny.gguf", tiny);
    const auto model = describe_model(folder.path() / "tiny.gguf");
    CHECK(model.kv_bytes_per_token == 2 * 2 * (16 + 16) * 2);  // layers, heads, key and value, bytes
    return model.memory_bytes.value() - model.weight_bytes;
  };
  CHECK(memory(128) == 128 * 256);
  CHECK(memory(100'000) == 8192 * 256);
}

TEST_CASE("tensors are counted by kind and type, the largest first") {
  GgufWriter file = strange_file();
  const auto add = [&](const char* name, TensorType type) {
    file.add_tensor(name, type, {256, 256}, std::vector<float>(256 * 256));
  };
  for (const char* name : {"blk.0.ffn_down.weight", "blk.1.ffn_down.weight"}) add(name, TensorType::q6_k);
  add("blk.2.ffn_down.weight", TensorType::q4_k);
  add("blk.0.attn_q.weight", TensorType::q4_k);
  add("v.blk.7.attn_q.bias", TensorType::q8_0);
  const auto model = describe(file);
  std::vector<std::string> kinds;
  for (const KindDescription& kind : model.kinds) kinds.push_back(kind.kind);
  CHECK(kinds == std::vector<std::string>{"ffn_down", "v.blk.*.attn_q.bias", "attn_q", "t"});
  REQUIRE(model.kinds[0].types.size() == 2);
  CHECK(model.kinds[0].types[0].type == "Q6_K");
  CHECK(model.kinds[0].types[0].tensors == 2);
  CHECK(model.kinds[0].types[0].values == 2 * 65536);
  CHECK(model.kinds[0].types[0].bytes == 2 * 256 * 210);
  CHECK(model.kinds[0].types[1].type == "Q4_K");
  REQUIRE(model.types.size() == 4);
  CHECK(model.types[0].type == "Q6_K");
  CHECK(model.types[1].type == "Q4_K");
  CHECK(model.types[1].tensors == 2);
}

TEST_CASE("an architecture that emelex lacks is described all the same") {
  GgufWriter file = strange_file();
  file.add("strange.block_count", uint32_t{3});
  file.add("strange.attention.head_count", std::vector<uint32_t>{8, 8, 8});
  file.add("strange.attention.head_count_kv", std::vector<uint32_t>{1, 2, 4});
  file.add("strange.attention.key_length", uint32_t{64});
  file.add("strange.attention.value_length", uint32_t{32});
  file.add("strange.rope.scaling.type", "yarn");
  file.add("strange.rope.scaling.factor", 4.0F);
  const auto model = describe(file);
  CHECK(model.not_run.find("strange") != std::string::npos);
  CHECK(model.layers == 3);
  CHECK(model.heads == LayerSizes{8});
  CHECK(model.kv_heads == LayerSizes{1, 2, 4});
  CHECK(model.kv_bytes_per_token == (1 + 2 + 4) * (64 + 32) * 2);
  CHECK(model.rope.scaling == "yarn");
  CHECK(model.rope.scaling_factor == 4);
  CHECK(!model.memory_bytes);
  CHECK(model.tokenizer.model == "");
}

TEST_CASE("values of the wrong type and sizes past all bounds are left out") {
  GgufWriter file = strange_file();
  file.add("general.name", uint32_t{1});
  file.add("strange.context_length", "long");
  file.add("strange.block_count", std::numeric_limits<int64_t>::max());
  file.add("strange.attention.head_count", std::numeric_limits<int64_t>::max());
  file.add("strange.attention.key_length", std::numeric_limits<uint64_t>::max());
  file.add("strange.attention.value_length", int32_t{-1});
  file.add("tokenizer.ggml.bos_token_id", int32_t{-5});
  file.add("tokenizer.ggml.eos_token_id", true);
  file.add("tokenizer.chat_template", uint8_t{0});
  const auto model = describe(file);
  CHECK(model.name == "");
  CHECK(!model.context_length);
  CHECK(!model.head_dim);
  CHECK(!model.kv_bytes_per_token);
  REQUIRE(model.tokenizer.bos);
  CHECK(model.tokenizer.bos->name == "");
  CHECK(!model.tokenizer.eos);
  CHECK(model.chat_template.state == State::unreadable);
}

TEST_CASE("a chat template is there, is not, or can't be read, and then why") {
  const auto chat = [](const char* text) {
    GgufWriter file = strange_file();
    if (text != nullptr) file.add("tokenizer.chat_template", text);
    return describe(file).chat_template;
  };
  CHECK(chat(nullptr).state == State::none);
  CHECK(chat("{{ messages }}").state == State::readable);
  CHECK(chat("{{ messages }}").text == "{{ messages }}");
  CHECK(chat("{% for %}").state == State::unreadable);
  CHECK(chat("{% for %}").reason.find("1") != std::string::npos);
  CHECK(chat("{% for %}").text == "{% for %}");
}

}  // namespace
}  // namespace emelex
