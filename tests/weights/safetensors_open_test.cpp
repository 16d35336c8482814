#include <doctest/doctest.h>

#include <cstring>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

float value(const Tensor& tensor, size_t i) {
  float x = 0;
  std::memcpy(&x, &tensor.data[4 * i], 4);
  return x;
}

// The tiny Llama in two files, with an index of all of its tensors.
struct Sharded {
  std::vector<TinyTensor> first = tiny_llama_tensors();
  std::vector<TinyTensor> second;
  std::string first_name = "model-00001-of-00002.safetensors";
  std::string second_name = "model-00002-of-00002.safetensors";
  std::string index;

  Sharded() {
    second.assign(first.begin() + 5, first.end());
    first.resize(5);
    index = R"({"metadata": {"total_size": 1}, "weight_map": {)";
    add(first, first_name);
    add(second, second_name);
    index.back() = '}';
    index += "}";
  }
  void add(const std::vector<TinyTensor>& tensors, const std::string& name) {
    for (const TinyTensor& tensor : tensors) index += "\"" + tensor.name + "\": \"" + name + "\",";
  }
  void replace_in_index(const std::string& from, const std::string& to) {
    REQUIRE(index.find(from) != std::string::npos);
    index.replace(index.find(from), from.size(), to);
  }
  void write(const TemporaryFolder& folder) const {
    folder.file("config.json", tiny_llama_config());
    folder.file(first_name, safetensors(first));
    folder.file(second_name, safetensors(second));
    folder.file("model.safetensors.index.json", index);
  }
};

TEST_CASE("A folder with one file is opened with GGUF's names") {
  const TemporaryFolder folder;
  folder.file("config.json", tiny_llama_config());
  folder.file("model.safetensors", safetensors(tiny_llama_tensors()));
  const auto weights = open_weights(folder.path());
  CHECK(weights->path() == folder.path());
  CHECK(weights->metadata().source() == (folder.path() / "config.json").string());
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights->tensors()) {
    names.push_back(name);
    CHECK(tensor.name == name);
    CHECK(tensor.type == TensorType::f32);
  }
  CHECK(names == std::vector<std::string>{"blk.0.attn_k.weight", "blk.0.attn_norm.weight", "blk.0.attn_output.weight",
                                          "blk.0.attn_q.weight", "blk.0.attn_v.weight", "blk.0.ffn_down.weight",
                                          "blk.0.ffn_gate.weight", "blk.0.ffn_norm.weight", "blk.0.ffn_up.weight",
                                          "output.weight", "output_norm.weight", "token_embd.weight"});
  const Tensor& k = weights->require("blk.0.attn_k.weight", {4, 8});
  CHECK(value(k, 0) == 96);  // after the embedding, a norm and q
  CHECK(value(k, 31) == 127);
  CHECK(value(weights->require("output.weight", {3, 8}), 23) == value(*weights->find("output_norm.weight"), 7) + 24);
}

TEST_CASE("Tensors are views of the mapped file and keep it") {
  const TemporaryFolder folder;
  folder.file("config.json", tiny_llama_config());
  folder.file("model.safetensors", safetensors(tiny_llama_tensors()));
  auto weights = open_weights(folder.path());
  const Tensor q = *weights->find("blk.0.attn_q.weight");
  const Tensor k = *weights->find("blk.0.attn_k.weight");
  CHECK(q.data.data() + q.data.size() == k.data.data());
  CHECK(q.file == k.file);
  weights.reset();
  fs::remove(folder.path() / "model.safetensors");
  CHECK(value(q, 63) == 95);
}

TEST_CASE("The file itself may be named, and needs the configuration beside it") {
  const TemporaryFolder folder;
  const fs::path file = folder.file("other.safetensors", safetensors(tiny_llama_tensors()));
  expect_error(ErrorCode::not_found, {"config.json", "other.safetensors"}, [&] { (void)open_weights(file); });
  folder.file("config.json", tiny_llama_config());
  CHECK(open_weights(file)->path() == folder.path());
}

TEST_CASE("A model in several files is opened by its folder or by any of them") {
  const TemporaryFolder folder;
  const Sharded model;
  model.write(folder);
  for (const fs::path& path : {folder.path(), folder.path() / model.first_name, folder.path() / model.second_name}) {
    const auto weights = open_weights(path);
    CHECK(weights->path() == folder.path());
    CHECK(weights->tensors().size() == 12);
    CHECK(value(*weights->find("blk.0.attn_k.weight"), 0) == 96);
    CHECK(weights->find("blk.0.attn_q.weight")->file != weights->find("output.weight")->file);
  }
}

TEST_CASE("An index that names a file that is not there is an error that names it") {
  const TemporaryFolder folder;
  const Sharded model;
  model.write(folder);
  fs::remove(folder.path() / model.second_name);
  expect_error(ErrorCode::not_found, {"'model-00002-of-00002.safetensors'", "download", "index.json"},
               [&] { (void)open_weights(folder.path()); });
}

TEST_CASE("An index may be older than the files beside it") {
  const std::pair<const char*, const char*> edits[] = {
      {"\"model.norm.weight\"", "\"model.norm.bias\""},
      {"\"model.norm.weight\": \"model-00002", "\"model.norm.weight\": \"model-00001"},
      {"\"model.norm.weight\": \"model-00002-of-00002", "\"model.norm.weight\": \"model-00005-of-00005"}};
  for (const auto& [from, to] : edits) {
    CAPTURE(to);
    const TemporaryFolder folder;
    Sharded model;
    model.replace_in_index(from, to);
    model.write(folder);
    CHECK(open_weights(folder.path())->tensors().size() == 12);
    fs::remove(folder.path() / "model.safetensors.index.json");
    CHECK(open_weights(folder.path())->tensors().size() == 12);
  }
}

TEST_CASE("A tensor in two files must be the same in both") {
  const TemporaryFolder folder;
  Sharded model;
  model.second.push_back(model.first.front());
  model.write(folder);
  CHECK(open_weights(folder.path())->tensors().size() == 12);
  model.second.back().data[0] ^= 1;
  model.write(folder);
  expect_error(ErrorCode::unsupported, {"'model.embed_tokens.weight'", "another one", "00002-of-00002"},
               [&] { (void)open_weights(folder.path()); });
}

TEST_CASE("An index never reaches outside of its folder") {
  const TemporaryFolder outer;
  outer.file("outside.safetensors", safetensors({{"t", "F32", {1}, "xxxx"}}));
  fs::create_directory(outer.path() / "inner");
  const fs::path inner = outer.path() / "inner";
  for (const std::string name : {"../outside.safetensors", "..", ".", "", "/etc/passwd", "/outside.safetensors",
                                 "a/b.safetensors", "..\\\\outside.safetensors", ".hidden.safetensors", "passwd",
                                 ".safetensors", "C:x.safetensors", "a\\u0000b.safetensors"}) {
    CAPTURE(name);
    outer.file("inner/config.json", tiny_llama_config());
    outer.file("inner/model.safetensors.index.json", R"({"weight_map": {"t": ")" + name + "\"}}");
    expect_error(ErrorCode::corrupt_file, {"'t'", ".safetensors file beside it", "index.json"},
                 [&] { (void)open_weights(inner); });
  }
}

TEST_CASE("An index of another form is refused") {
  const TemporaryFolder folder;
  folder.file("config.json", tiny_llama_config());
  std::string deep = "{\"weight_map\":";
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  for (const std::string& text :
       {std::string("[]"), std::string("{}"), std::string(R"({"weight_map": []})"), std::string("{\"weight_map\""),
        std::string(R"({"weight_map": {"t": 1}})"), std::string(R"({"weight_map": {"t": ["a.safetensors"]}})"),
        std::string(R"({"weight_map": {"t": "a.safetensors", "t": "b.safetensors"}})"), deep}) {
    folder.file("model.safetensors.index.json", text);
    expect_error(ErrorCode::corrupt_file, {"index.json"}, [&] { (void)open_weights(folder.path()); });
  }
}

TEST_CASE("A folder without a model says what is missing") {
  const TemporaryFolder folder;
  const auto open = [&] { (void)open_weights(folder.path()); };
  expect_error(ErrorCode::unsupported, {"config.json", ".gguf", folder.path().string()}, open);
  folder.file("config.json", tiny_llama_config());
  expect_error(ErrorCode::not_found, {"model.safetensors", folder.path().string()}, open);
  folder.file("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
  expect_error(ErrorCode::corrupt_file, {"Git LFS", "model.safetensors"}, open);
  folder.file("model.safetensors", "");
  expect_error(ErrorCode::corrupt_file, {"empty", "model.safetensors"}, open);
  folder.file("model.safetensors", safetensors(tiny_llama_tensors()));
  CHECK_NOTHROW(open());
  folder.file("config.json", "");
  expect_error(ErrorCode::corrupt_file, {"empty", "config.json"}, open);
}

TEST_CASE("A tensor that can't be read matters to whoever asks for it, and to nobody else") {
  auto tensors = tiny_llama_tensors();
  tensors[4] = {"model.layers.0.self_attn.v_proj.weight", "F8_E4M3", {4, 8}, std::string(32, 'x')};
  tensors.push_back({"odd", "F3", {1}, "x"});
  tensors.push_back({"nothing", "F32", {0}, ""});
  const auto weights = read_tiny(tiny_llama_config(), safetensors(tensors));
  CHECK(weights->find("blk.0.attn_q.weight") != nullptr);
  CHECK(weights->find("none") == nullptr);
  expect_error(ErrorCode::unsupported, {"'blk.0.attn_v.weight'", "F8_E4M3", "tiny"}, [&] {
    (void)weights->require("blk.0.attn_v.weight", {4, 8});
  });
  expect_error(ErrorCode::unsupported, {"'odd'", "'F3'"}, [&] { (void)weights->find("odd"); });
  expect_error(ErrorCode::unsupported, {"'nothing'", "no values"}, [&] { (void)weights->find("nothing"); });
}

TEST_CASE("F16 and BF16 keep their types, a single number becomes a list of one") {
  auto tensors = tiny_llama_tensors();
  tensors[1] = {tensors[1].name, "BF16", {8}, std::string(16, 'x')};
  tensors[6] = {tensors[6].name, "F16", {8}, std::string(16, 'x')};
  tensors.push_back({"scale", "F32", {}, "xxxx"});
  const auto weights = read_tiny(tiny_llama_config(), safetensors(tensors));
  CHECK(weights->require("blk.0.attn_norm.weight", {8}).type == TensorType::bf16);
  CHECK(weights->require("blk.0.ffn_norm.weight", {8}).type == TensorType::f16);
  CHECK(weights->require("scale", {1}).data.size() == 4);
}

TEST_CASE("Two names that mean one tensor are refused") {
  auto tensors = tiny_llama_tensors();
  tensors.push_back({"embed_tokens.weight", "F32", {1}, "xxxx"});
  expect_error(ErrorCode::corrupt_file, {"'token_embd.weight'", "two names"},
               [&] { (void)read_tiny(tiny_llama_config(), safetensors(tensors)); });
}

TEST_CASE("Tensors that other programs write are named for what they are") {
  const std::pair<const char*, const char*> cases[] = {
      {"blk.0.attn_q.weight", "GGUF"},
      {"model.layers.0.self_attn.q_proj.qweight", "AWQ or GPTQ"},
      {"model.layers.0.self_attn.q_proj.weight_packed", "compressed-tensors"},
      {"model.layers.0.self_attn.q_proj.weight_scale_inv", "FP8"},
      {"model.layers.0.self_attn.q_proj.weight.absmax", "bitsandbytes"},
      {"model.layers.0.self_attn.q_proj.lora_A.weight", "LoRA"},
      {"base_model.model.model.norm.weight", "PEFT"},
      {"score.weight", "classifier or reranker"}};
  for (const auto& [name, what] : cases) {
    CAPTURE(name);
    auto tensors = tiny_llama_tensors();
    tensors.push_back({name, "F32", {1}, "xxxx"});
    expect_error(ErrorCode::unsupported, {name, what, "tiny"},
                 [&] { (void)read_tiny(tiny_llama_config(), safetensors(tensors)); });
  }
}

TEST_CASE("Buffers that older programs saved are left out") {
  auto tensors = tiny_llama_tensors();
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {1}, "xxxx"});
  tensors.push_back({"model.layers.0.self_attn.k_scale", "F32", {1}, "xxxx"});
  CHECK(read_tiny(tiny_llama_config(), safetensors(tensors))->tensors().size() == 12);
}

TEST_CASE("Biases are those that the configuration says") {
  auto tensors = tiny_llama_tensors();
  tensors.push_back({"model.layers.0.self_attn.q_proj.bias", "F32", {8}, std::string(32, 'x')});
  const auto read = [&](std::string_view more) { return read_tiny(tiny_llama_config(more), safetensors(tensors)); };
  const std::string_view with_biases = R"(, "attention_bias": true)";
  expect_error(ErrorCode::unsupported, {"'blk.0.attn_k.bias'", "config.json", "none"},
               [&] { (void)read(with_biases); });
  auto whole = tensors;
  whole.push_back({"model.layers.0.self_attn.k_proj.bias", "F32", {4}, std::string(16, 'x')});
  whole.push_back({"model.layers.0.self_attn.v_proj.bias", "F32", {4}, std::string(16, 'x')});
  whole.push_back({"model.layers.0.self_attn.o_proj.bias", "F32", {8}, std::string(32, 'x')});
  CHECK(read_tiny(tiny_llama_config(with_biases), safetensors(whole))->find("blk.0.attn_q.bias") != nullptr);
  expect_error(ErrorCode::unsupported, {"q_proj.bias", "config.json"}, [&] { (void)read(""); });
  tensors.back().data = std::string(32, '\0');  // as AutoGPTQ saves them
  CHECK(read("")->find("blk.0.attn_q.bias") == nullptr);
}

TEST_CASE("Names may lack the part that a model without its output does not have") {
  auto tensors = tiny_llama_tensors();
  for (TinyTensor& tensor : tensors) {
    if (tensor.name.starts_with("model.")) tensor.name = tensor.name.substr(6);
  }
  CHECK(read_tiny(tiny_llama_config(), safetensors(tensors))->find("blk.0.attn_q.weight") != nullptr);
}

TEST_CASE("An embedding model, a classifier and an adapter beside a model are named for what they are") {
  const auto with = [](const std::string& file, std::string_view more, std::initializer_list<std::string_view> parts) {
    const TemporaryFolder folder;
    folder.file("config.json", tiny_llama_config(more));
    folder.file("model.safetensors", safetensors(tiny_llama_tensors()));
    if (!file.empty()) folder.file(file, "{}");
    expect_error(ErrorCode::unsupported, parts, [&] { (void)open_weights(folder.path()); });
  };
  with("modules.json", "", {"embedding model", "modules.json"});
  with("adapter_config.json", "", {"LoRA", "adapter_config.json"});
  with("", R"(, "architectures": ["LlamaForSequenceClassification"])", {"architectures", "SequenceClassification"});
  with("", R"(, "is_causal": false)", {"is_causal", "embedding model"});
}

TEST_CASE("A tied output is the embedding where it is missing or the same, and its own where it differs") {
  const std::string tied = tiny_llama_config(R"(, "tie_word_embeddings": true)");
  auto tensors = tiny_llama_tensors();
  CHECK(read_tiny(tied, safetensors(tensors))->find("output.weight") != nullptr);
  tensors.back().data = tensors.front().data;
  CHECK(read_tiny(tied, safetensors(tensors))->find("output.weight") == nullptr);
  auto only = tensors;
  only.erase(only.begin());  // the embedding
  CHECK(read_tiny(tied, safetensors(only))->find("token_embd.weight") != nullptr);
  tensors.pop_back();
  CHECK(read_tiny(tied, safetensors(tensors))->find("output.weight") == nullptr);
  expect_error(ErrorCode::unsupported, {"'lm_head.weight'", "tie_word_embeddings", "embedding model", "config.json"},
               [&] { (void)read_tiny(tiny_llama_config(), safetensors(tensors)); });
}

TEST_CASE("The embedding has as many rows as the vocabulary has words") {
  auto tensors = tiny_llama_tensors();
  tensors[0] = {tensors[0].name, "F32", {2, 8}, std::string(64, 'x')};
  expect_error(ErrorCode::corrupt_file, {"vocab_size", "2 rows", "got 3", "config.json"},
               [&] { (void)read_tiny(tiny_llama_config(), safetensors(tensors)); });
}

}  // namespace
}  // namespace emelex
