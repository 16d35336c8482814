#include <doctest/doctest.h>

#include <functional>
#include <utility>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "models/forward_pass.h"
#include "models/model.h"
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

TEST_CASE("A key that asks for something else is refused by its name") {
  expect_refused({"llama.attention.causal", "embedding model"},
                 [](GgufWriter& file) { file.add("llama.attention.causal", false); });
  expect_refused({"llama.pooling_type", "embedding model"},
                 [](GgufWriter& file) { file.add("llama.pooling_type", uint32_t{3}); });
  expect_refused({"llama.expert_weights_scale"},
                 [](GgufWriter& file) { file.add("llama.expert_weights_scale", 2.5F); });
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
