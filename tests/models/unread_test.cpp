#include <doctest/doctest.h>

#include <functional>
#include <tuple>
#include <utility>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "models/forward_pass.h"
#include "models/model.h"
#include "models/rope_config.h"
#include "weights/gguf/gguf_writer.h"

using namespace emelex;
using namespace emelex::test;

namespace {

using Change = std::function<void(GgufWriter&)>;

// A tiny Llama's file, with other keys and tensors.
std::shared_ptr<const Weights> changed(const Change& change, const std::string& without = {},
                                       const TinyLlama& model = {}) {
  const TemporaryFolder folder;
  model.write(folder.path() / "tiny.gguf");
  const auto weights = open_weights(folder.path() / "tiny.gguf");
  GgufWriter file;
  for (const auto& [key, value] : weights->metadata().values()) {
    if (key != without) file.add_value(key, value, weights->metadata().width(key));
  }
  const auto values = model.tensors();
  for (const auto& [name, shape] : model.shapes()) file.add_tensor(name, TensorType::f32, shape, values.at(name));
  change(file);
  file.write(folder.path() / "changed.gguf");
  return open_weights(folder.path() / "changed.gguf");
}

std::vector<float> logits(std::shared_ptr<const Weights> weights) {
  return ForwardPass(std::move(weights), KernelBackend::float32).prefill(random_tokens(20));
}

void make(const std::shared_ptr<const Weights>& weights) {
  const auto backend = make_backend({Device::cpu, KernelBackend::fast}, 1);
  (void)make_model({weights, *backend, 0});
}

void expect_refused(std::initializer_list<std::string_view> parts, const Change& change) {
  const auto weights = changed(change);
  expect_error(ErrorCode::unsupported, parts, [&] { make(weights); });
}

void add_vector(GgufWriter& file, const std::string& name, int64_t size) {
  file.add_tensor(name, TensorType::f32, {size}, std::vector<float>(static_cast<size_t>(size), 0.5F));
}

}  // namespace

TEST_CASE("A tensor that the model is not computed with is refused by its name") {
  const std::pair<const char*, const char*> cases[] = {{"blk.0.attn_q.scale", "a scale"},
                                                       {"blk.0.attn_q_norm.weight", "a norm"},
                                                       {"cls.output.weight", "reranker"},
                                                       {"blk.2.attn_norm.weight", "past block_count"},
                                                       {"blk.0.attn_sinks.weight", "sinks"},
                                                       {"blk.1.exp_probs_b.weight", "router"},
                                                       {"blk.0.ffn_up_shexp.weight", "shared experts"},
                                                       {"blk.0.foo.weight", "'llama'"}};
  for (const auto& [name, what] : cases) {
    CAPTURE(name);
    const std::string tensor = name;
    expect_refused({tensor, what, "changed.gguf"}, [&](GgufWriter& file) { add_vector(file, tensor, 16); });
  }
  expect_refused({"and 2 more"}, [&](GgufWriter& file) {
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) add_vector(file, name, 16);
  });
}

TEST_CASE("A bias that the architecture does not have is refused by its name") {
  expect_refused({"'blk.0.attn_norm.bias'"}, [](GgufWriter& file) { add_vector(file, "blk.0.attn_norm.bias", 96); });
  expect_refused({"'output.bias'"}, [](GgufWriter& file) { add_vector(file, "output.bias", 203); });
  const auto with_bias = changed([](GgufWriter& file) { add_vector(file, "blk.0.attn_output.bias", 96); });
  CHECK(logits(with_bias) != logits(TinyLlama().open()));
}

TEST_CASE("A file that lost a bias which llama.cpp requires is refused by its name") {
  for (const char* name : {"phi2", "gpt-oss"}) {
    CAPTURE(name);
    const auto weights = changed(
        [&](GgufWriter& file) {
          file.add("general.architecture", name);
          for (const char* norm : {"blk.0.attn_norm.bias", "blk.1.attn_norm.bias"}) {
            if (std::string_view(name) == "phi2") add_vector(file, norm, 96);
          }
        },
        "general.architecture");
    expect_error(ErrorCode::unsupported, {"'blk.0.attn_output.bias'", "changed.gguf"}, [&] { make(weights); });
  }
}

TEST_CASE("A file that lost its output is not computed with the embedding where the architecture always has one") {
  TinyLlama tied;
  tied.tied = true;
  for (const char* name : {"olmo2", "phi2", "gpt-oss"}) {
    CAPTURE(name);
    const auto weights =
        changed([&](GgufWriter& file) { file.add("general.architecture", name); }, "general.architecture", tied);
    REQUIRE(weights->tensors().count("output.weight") == 0);
    expect_error(ErrorCode::corrupt_file, {"'output.weight'", name, "changed.gguf"}, [&] { make(weights); });
  }
}

TEST_CASE("Rotary frequencies of a tensor are refused where llama.cpp does not read it") {
  const auto with = [](const char* architecture, const char* tensor, const char* scaling) {
    return changed(
        [&](GgufWriter& file) {
          file.add("general.architecture", architecture);
          for (const char* key : {"block_count", "embedding_length", "feed_forward_length", "context_length",
                                  "attention.head_count", "attention.head_count_kv"}) {
            if (std::string_view(architecture) == "llama") continue;
            file.add(std::string(architecture) + "." + key,
                     static_cast<uint32_t>(*TinyLlama().open()->metadata().integer(std::string("llama.") + key)));
          }
          if (std::string_view(architecture) != "llama") {
            file.add(std::string(architecture) + ".attention.layer_norm_rms_epsilon", 1e-5F);
          }
          file.add(std::string(architecture) + ".rope.scaling.type", scaling);
          add_vector(file, tensor, 8);
        },
        "general.architecture");
  };
  CHECK_NOTHROW(make(with("llama", "rope_freqs.weight", "none")));
  CHECK_NOTHROW(check_rope_fits_gguf(*with("llama", "rope_freqs.weight", "none")));
  for (const auto& [architecture, tensor, scaling] : {std::tuple{"qwen2", "rope_freqs.weight", "none"},
                                                      {"qwen2", "rope_factors_long.weight", "longrope"},
                                                      {"llama", "rope_factors_long.weight", "none"},
                                                      {"llama", "rope_freqs.weight", "longrope"}}) {
    CAPTURE(architecture);
    CAPTURE(tensor);
    const auto weights = with(architecture, tensor, scaling);
    expect_error(ErrorCode::unsupported, {tensor, "changed.gguf"}, [&] { make(weights); });
  }
  // What a folder may have, and no GGUF file of its architecture.
  expect_error(ErrorCode::unsupported, {"[qwen2]", "'rope_freqs.weight'"},
               [&] { check_rope_fits_gguf(*with("qwen2", "rope_freqs.weight", "none")); });
}

TEST_CASE("Keys that llama.cpp reads otherwise, or requires, are named") {
  const auto as = [](const char* architecture, const Change& change) {
    return changed(
        [&](GgufWriter& file) {
          file.add("general.architecture", architecture);
          const auto llama = TinyLlama().open();
          for (const char* key : {"block_count", "embedding_length", "feed_forward_length", "context_length",
                                  "attention.head_count", "attention.head_count_kv"}) {
            file.add(std::string(architecture) + "." + key,
                     static_cast<uint32_t>(*llama->metadata().integer(std::string("llama.") + key)));
          }
          change(file);
        },
        "general.architecture");
  };
  // It would scale the layers with a window, too.
  const auto scaled = as("gemma3", [](GgufWriter& file) { file.add("gemma3.rope.scaling.attn_factor", 1.7F); });
  expect_error(ErrorCode::unsupported, {"gemma3.rope.scaling.attn_factor", "1.7"}, [&] { make(scaled); });
  expect_error(ErrorCode::unsupported, {"[gemma3]", "gemma3.rope.scaling.attn_factor"},
               [&] { check_rope_fits_gguf(*scaled); });
  const auto without_size = as("gpt-oss", [](GgufWriter& file) {
    file.add("gpt-oss.attention.sliding_window", uint32_t{9});
    for (const char* bias : {"blk.0.attn_output.bias", "blk.1.attn_output.bias"}) add_vector(file, bias, 96);
  });
  expect_error(ErrorCode::corrupt_file, {"'gpt-oss.expert_feed_forward_length'"}, [&] { make(without_size); });
}

TEST_CASE("A folder whose configuration and tensors differ about which layers have experts is refused") {
  const auto weights = TinyLlama().open();
  FormatFacts facts;
  facts.expert_layers = {false, true};
  const auto other = std::make_shared<const Weights>(weights->path(), weights->metadata(), weights->tensors(),
                                                     weights->unreadable(), weights->files(), facts);
  expect_error(ErrorCode::unsupported, {"layer 1", "decoder_sparse_step", "'blk.1.ffn_gate_inp.weight'"},
               [&] { make(other); });
}

TEST_CASE("A key that asks for something else is refused by its name") {
  expect_refused({"llama.attention.causal", "embedding model"},
                 [](GgufWriter& file) { file.add("llama.attention.causal", false); });
  expect_refused({"llama.pooling_type", "embedding model"},
                 [](GgufWriter& file) { file.add("llama.pooling_type", uint32_t{3}); });
  expect_refused({"llama.expert_weights_scale"},
                 [](GgufWriter& file) { file.add("llama.expert_weights_scale", 2.5F); });
  expect_refused({"llama.expert_used_count", "none"},
                 [](GgufWriter& file) { file.add("llama.expert_used_count", uint32_t{1}); });
  expect_refused({"llama.ssm.conv_kernel"}, [](GgufWriter& file) { file.add("llama.ssm.conv_kernel", uint32_t{4}); });
  expect_refused({"general.type", "adapter"}, [](GgufWriter& file) { file.add("general.type", "adapter"); });
}

TEST_CASE("Keys that say what is computed anyway, and those of other programs, are without effect") {
  const auto weights = changed([](GgufWriter& file) {
    file.add("llama.attention.causal", true);
    file.add("llama.pooling_type", uint32_t{0});
    file.add("llama.expert_group_count", uint32_t{1});
    file.add("llama.of_another_program", uint32_t{7});
  });
  CHECK(logits(weights) == logits(TinyLlama().open()));
  const auto backend = make_backend({Device::cpu, KernelBackend::fast}, 1);
  std::map<std::string, KeyUse> uses;
  for (const KeyState& state : model_keys({weights, *backend, 0})) uses[state.key] = state.use;
  CHECK((uses.at("llama.block_count") == KeyUse::used));
  CHECK((uses.at("llama.attention.causal") == KeyUse::no_effect));
  CHECK((uses.at("llama.of_another_program") == KeyUse::unknown));
}

TEST_CASE("A size of each layer may be a list, if all layers have the same") {
  const auto with_list = [](const std::vector<int64_t>& list) {
    return changed([&](GgufWriter& file) { file.add_value("llama.attention.head_count_kv", list, 4); },
                   "llama.attention.head_count_kv");
  };
  CHECK(logits(with_list({2, 2})) == logits(TinyLlama().open()));
  expect_error(ErrorCode::unsupported, {"head_count_kv", "2 and 3"}, [&] { make(with_list({2, 3})); });
  expect_error(ErrorCode::corrupt_file, {"head_count_kv", "2 layers", "got 3"}, [&] { make(with_list({2, 2, 2})); });
}

TEST_CASE("A factor of RoPE without a type of scaling is linear, under its old name too") {
  const auto with = [](const std::string& type, const std::string& key) {
    return logits(changed([&](GgufWriter& file) {
      if (!type.empty()) file.add("llama.rope.scaling.type", type);
      file.add("llama.rope." + key, 4.0F);
    }));
  };
  const std::vector<float> linear = with("linear", "scaling.factor");
  CHECK(linear != logits(TinyLlama().open()));
  CHECK(with("", "scaling.factor") == linear);
  CHECK(with("", "scale_linear") == linear);
  CHECK(with("none", "scaling.factor") == logits(TinyLlama().open()));
}
