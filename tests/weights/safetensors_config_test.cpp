#include <doctest/doctest.h>

#include <cmath>
#include <optional>

#include "base/expect_error.h"
#include "base/strings.h"
#include "weights/safetensors/hf_config.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

HfConfig read(const std::string& text) { return read_hf_config(text, "tiny/config.json", "tiny"); }

HfConfig read_more(std::string_view more) { return read(tiny_llama_config(more)); }

void expect_corrupt(const std::string& text, std::initializer_list<std::string_view> parts) {
  CAPTURE(text);
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)read(text); });
}

void expect_unsupported(std::string_view more, std::initializer_list<std::string_view> parts) {
  expect_error(ErrorCode::unsupported, parts, [&] { (void)read_more(more); });
}

// The tiny configuration with one member's value replaced, or left out.
std::string with(const std::string& key, const std::string& value) {
  std::string text = tiny_llama_config();
  const size_t at = text.find("\"" + key + "\"");
  REQUIRE(at != std::string::npos);
  const size_t end = text.find_first_of(",}", at);
  if (value.empty()) return text.replace(at, end - at, "\"nothing\": 0");
  return text.replace(at, end - at, "\"" + key + "\": " + value);
}

TEST_CASE("A configuration becomes the metadata of a GGUF file") {
  const HfConfig config = read(R"({
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 3072, "num_hidden_layers": 28,
    "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 8192,
    "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
    "hidden_act": "silu", "attention_bias": false, "mlp_bias": false, "pretraining_tp": 1, "rope_scaling": null,
    "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "tie_word_embeddings": true,
    "torch_dtype": "bfloat16", "use_cache": true})");
  const Metadata& metadata = config.metadata;
  CHECK(metadata.source() == "tiny/config.json");
  CHECK(metadata.string("general.architecture") == "llama");
  CHECK(metadata.string("general.name") == "tiny");
  CHECK(metadata.integer("llama.block_count") == 28);
  CHECK(metadata.integer("llama.context_length") == 131072);
  CHECK(metadata.integer("llama.embedding_length") == 3072);
  CHECK(metadata.integer("llama.feed_forward_length") == 8192);
  CHECK(metadata.integer("llama.vocab_size") == 128256);
  CHECK(metadata.integer("llama.attention.head_count") == 24);
  CHECK(metadata.integer("llama.attention.head_count_kv") == 8);
  CHECK(metadata.integer("llama.attention.key_length") == 128);
  CHECK(metadata.integer("llama.attention.value_length") == 128);
  CHECK(metadata.number("llama.attention.layer_norm_rms_epsilon") == 1e-5);
  CHECK(metadata.integer("llama.rope.dimension_count") == 128);
  CHECK(metadata.number("llama.rope.freq_base") == 500000.0);
  CHECK(config.facts.rope_pairs == RopePairs::halves);
  CHECK(metadata.integer("tokenizer.ggml.bos_token_id") == 128000);
  CHECK(metadata.integer("tokenizer.ggml.eos_token_id") == 128001);
  CHECK_FALSE(metadata.contains("llama.rope.scaling.type"));
  CHECK(config.tied);
  CHECK(config.tensors.empty());
}

TEST_CASE("What a configuration leaves out, or sets to null where it may, is what transformers takes") {
  for (const std::string& text : {tiny_llama_config(), tiny_llama_config(R"(, "head_dim": null, "use_cache": null,
        "eos_token_id": null, "initializer_range": null, "rope_scaling": null, "layer_types": null)")}) {
    const HfConfig config = read(text);
    CHECK(config.metadata.integer("llama.attention.key_length") == 4);
    CHECK(config.metadata.number("llama.rope.freq_base") == 10000.0);
    CHECK(config.metadata.number("llama.attention.layer_norm_rms_epsilon") == 1e-6);
    CHECK_FALSE(config.metadata.contains("tokenizer.ggml.eos_token_id"));
    CHECK_FALSE(config.tied);
  }
  CHECK(read(with("num_key_value_heads", "")).metadata.integer("llama.attention.head_count_kv") == 2);
  CHECK(read(with("max_position_embeddings", "")).metadata.integer("llama.context_length") == 2048);
  CHECK(read_more(R"(, "eos_token_id": 2)").metadata.integer("tokenizer.ggml.eos_token_id") == 2);
  CHECK_FALSE(read_more(R"(, "eos_token_id": -1)").metadata.contains("tokenizer.ggml.eos_token_id"));
  CHECK_FALSE(read_more(R"(, "bos_token_id": -1)").metadata.contains("tokenizer.ggml.bos_token_id"));
  CHECK_FALSE(read_more(R"(, "eos_token_id": [])").metadata.contains("tokenizer.ggml.eos_token_id"));
}

TEST_CASE("A null where transformers wants a value is refused by its key") {
  for (const char* key : {"rms_norm_eps", "tie_word_embeddings", "rope_theta", "hidden_act", "attention_bias",
                          "mlp_bias", "max_position_embeddings", "vocab_size", "hidden_size"}) {
    const bool is_there = tiny_llama_config().find(std::string("\"") + key + "\"") != std::string::npos;
    const std::string text = is_there ? with(key, "null") : tiny_llama_config(str_cat(", \"", key, "\": null"));
    expect_error(ErrorCode::unsupported, {key, "null", "tiny/config.json"}, [&] { (void)read(text); });
  }
  expect_unsupported(R"(, "rope_parameters": {"rope_type": null, "rope_theta": 7.0})", {"rope_parameters.rope_type"});
  expect_unsupported(R"(, "rope_parameters": {"type": null, "rope_theta": 7.0})", {"rope_parameters.type"});
  expect_unsupported(R"(, "rope_parameters": {"rope_theta": null})", {"rope_parameters.rope_theta"});
  expect_unsupported(R"(, "rope_parameters": {"partial_rotary_factor": null})",
                     {"rope_parameters.partial_rotary_factor"});
  // Of these another key says it.
  CHECK_NOTHROW((void)read_more(R"(, "partial_rotary_factor": null)"));
  CHECK(read_more(R"(, "rope_theta": null, "rope_parameters": {"rope_theta": 7.0})")
            .metadata.number("llama.rope.freq_base") == 7.0);
  CHECK(read_more(R"(, "rope_parameters": {"rope_type": "default", "type": null, "rope_theta": 7.0})")
            .metadata.number("llama.rope.freq_base") == 7.0);
}

// The tiny configuration as another model_type's, with two layers.
HfConfig read_family(const std::string& model_type, std::string_view more) {
  std::string text = tiny_llama_config(more);
  const std::string_view layers = "\"num_hidden_layers\": ";
  text.replace(text.find(layers) + layers.size(), 1, "2");
  text.replace(text.find("\"llama\""), 7, "\"" + model_type + "\"");
  return read(text);
}

std::optional<std::vector<bool>> flags(const HfConfig& config, const char* key) {
  const Metadata::Value* value = config.metadata.find(key);
  return value == nullptr ? std::nullopt : std::optional(std::get<std::vector<bool>>(*value));
}

TEST_CASE("Mistral is a Llama with a window, if the file has one") {
  const auto window = [](std::string_view more) {
    const HfConfig config = read_family("mistral", more);
    CHECK(config.metadata.string("general.architecture") == "llama");
    return config.metadata.integer("llama.attention.sliding_window");
  };
  CHECK(window(R"(, "sliding_window": 1000)") == 1000);
  CHECK_FALSE(window(R"(, "sliding_window": null)"));
  CHECK(window("") == 4096);
  CHECK_FALSE(read_more(R"(, "sliding_window": 10)").metadata.contains("llama.attention.sliding_window"));
}

TEST_CASE("How many experts there are, and how they are weighed, is what transformers takes where nothing is said") {
  const std::string sizes =
      R"("hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "vocab_size": 4)";
  const HfConfig mixtral = read("{\"model_type\": \"mixtral\", \"num_local_experts\": 4, " + sizes + "}");
  CHECK(mixtral.metadata.integer("llama.expert_count") == 4);
  CHECK(mixtral.metadata.integer("llama.expert_used_count") == 2);
  CHECK(!mixtral.metadata.contains("llama.attention.sliding_window"));
  const HfConfig qwen = read("{\"model_type\": \"qwen3_moe\", \"num_experts_per_tok\": 3, " + sizes + "}");
  CHECK(qwen.metadata.integer("qwen3moe.expert_count") == 128);
  CHECK(qwen.metadata.integer("qwen3moe.expert_used_count") == 3);
  CHECK(qwen.metadata.integer("qwen3moe.expert_feed_forward_length") == 768);
  CHECK(qwen.metadata.boolean("qwen3moe.expert_weights_norm") == false);
}

TEST_CASE("The number of heads' keys and values may be null in some families, and is that of heads then") {
  const auto heads = [](const std::string& model_type) {
    std::string text = with("num_key_value_heads", "null");
    text.replace(text.find("\"llama\""), 7, "\"" + model_type + "\"");
    const HfConfig config = read(text);
    return config.metadata.integer(str_cat(config.family->architecture, ".attention.head_count_kv"));
  };
  CHECK(heads("llama") == 2);
  CHECK(heads("qwen2") == 2);  // a missing key is 32
  for (const char* model_type : {"mistral", "mixtral", "qwen3_moe", "gpt_oss"}) {
    CAPTURE(model_type);
    expect_error(ErrorCode::unsupported, {"num_key_value_heads", "null"}, [&] { (void)heads(model_type); });
  }
  expect_error(ErrorCode::unsupported, {"head_dim", "null"},
               [] { (void)read_family("qwen3", R"(, "head_dim": null)"); });
}

TEST_CASE("A list of layers' types is of all layers, also where the family does not ask for it") {
  CHECK_NOTHROW((void)read_more(R"(, "layer_types": ["sliding_attention"])"));
  for (const char* types : {R"([])", R"(["full_attention", "full_attention"])", R"(["other"])", "3"}) {
    CAPTURE(types);
    expect_corrupt(tiny_llama_config(std::string(R"(, "layer_types": )") + types), {"layer_types"});
  }
}

TEST_CASE("Two numbers of experts that differ are refused") {
  const std::string more = R"(, "num_local_experts": 4, "num_experts": )";
  CHECK(read_family("mixtral", more + "4").metadata.integer("llama.expert_count") == 4);
  expect_error(ErrorCode::unsupported, {"num_experts", "num_local_experts' 4", "2"},
               [&] { (void)read_family("mixtral", more + "2"); });
}

TEST_CASE("Which layers of Qwen 3 have experts is said by two keys") {
  const auto layers = [](std::string_view more) { return read_family("qwen3_moe", more).facts.expert_layers; };
  CHECK(layers("") == std::vector<bool>{true, true});
  CHECK(layers(R"(, "decoder_sparse_step": 2)") == std::vector<bool>{false, true});
  CHECK(layers(R"(, "mlp_only_layers": [1, 7])") == std::vector<bool>{true, false});
  CHECK(layers(R"(, "mlp_only_layers": null)") == std::vector<bool>{true, true});
  CHECK(read_family("qwen3", R"(, "decoder_sparse_step": 2)").facts.expert_layers.empty());
  expect_error(ErrorCode::corrupt_file, {"mlp_only_layers"}, [&] { (void)layers(R"(, "mlp_only_layers": ["1"])"); });
  expect_error(ErrorCode::corrupt_file, {"decoder_sparse_step"},
               [&] { (void)layers(R"(, "decoder_sparse_step": 0)"); });
}

TEST_CASE("Tensors of experts have a number for the layer and one for the expert") {
  const HfFamily& family = *find_hf_family("mixtral");
  CHECK(gguf_tensor_name(family, "model.layers.3.block_sparse_moe.experts.12.w3.weight") == "blk.3.ffn_up.12.weight");
  CHECK(gguf_tensor_name(family, "model.layers.3.mlp.experts.gate_up_proj") == "blk.3.ffn_gate_up_exps.weight");
  CHECK(hf_tensor_name(family, "blk.0.ffn_down.7.weight") == "model.layers.0.block_sparse_moe.experts.7.w2.weight");
  CHECK(gguf_tensor_name(family, "layers.3.self_attn.q_proj.weight") == "blk.3.attn_q.weight");  // without "model."
  for (const char* other : {"model.layers.3.block_sparse_moe.experts..w3.weight", "model.layers.3.self_attn.q_proj",
                            "model.layers.x.self_attn.q_proj.weight", "model.layers.3.self_attn.q_proj.more.weight"}) {
    CHECK(gguf_tensor_name(family, other) == std::nullopt);
  }
}

TEST_CASE("Which layers have a window is read in its older and its newer forms") {
  constexpr const char* kPattern = "qwen2.attention.sliding_window_pattern";
  CHECK_FALSE(flags(read_family("qwen2", R"(, "sliding_window": 10)"), kPattern));
  const HfConfig by_number =
      read_family("qwen2", R"(, "use_sliding_window": true, "sliding_window": 10, "max_window_layers": 1)");
  CHECK(by_number.metadata.integer("qwen2.attention.sliding_window") == 10);
  CHECK(flags(by_number, kPattern) == std::vector<bool>{false, true});
  const HfConfig by_list = read_family("qwen2", R"(, "use_sliding_window": true, "sliding_window": 10,
      "layer_types": ["sliding_attention", "full_attention"])");
  CHECK(flags(by_list, kPattern) == std::vector<bool>{true, false});
  CHECK(flags(read_family("gemma2", R"(, "hidden_act": "gelu_pytorch_tanh")"),
              "gemma2.attention.sliding_window_pattern") == std::vector<bool>{true, false});
  for (const char* types : {R"(["full_attention"])", R"(["full_attention", "other"])", R"("full_attention")"}) {
    CAPTURE(types);
    const std::string more = std::string(R"(, "use_sliding_window": true, "layer_types": )") + types;
    expect_error(ErrorCode::corrupt_file, {"layer_types"}, [&] { (void)read_family("qwen3", more); });
  }
}

TEST_CASE("Gemma 3 has the base of each kind of layer, in its older and its newer form") {
  for (const char* more :
       {R"(, "hidden_activation": "gelu_pytorch_tanh", "rope_theta": 1000000, "rope_local_base_freq": 7000)",
        R"(, "hidden_activation": "gelu_pytorch_tanh", "rope_parameters": {
           "full_attention": {"rope_type": "default", "rope_theta": 1000000},
           "sliding_attention": {"rope_type": "default", "rope_theta": 7000}})"}) {
    const HfConfig config = read_family("gemma3_text", more);
    CHECK(config.metadata.number("gemma3.rope.freq_base") == 1e6);
    CHECK(config.metadata.number("gemma3.rope.freq_base_swa") == 7000.0);
  }
}

TEST_CASE("Of a model that reads pictures, too, the text part is read, with what transformers takes for it") {
  const HfConfig config =
      read(R"({"model_type": "gemma3", "eos_token_id": [1, 106], "vision_config": {"hidden_size": 1152},
    "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}})");
  const Metadata& metadata = config.metadata;
  CHECK(metadata.string("general.architecture") == "gemma3");
  CHECK(config.facts.text_part_of == "gemma3");
  CHECK(metadata.integer("gemma3.block_count") == 34);
  CHECK(metadata.integer("gemma3.attention.head_count") == 8);
  CHECK(metadata.integer("gemma3.attention.head_count_kv") == 4);
  CHECK(metadata.integer("gemma3.attention.key_length") == 256);
  CHECK(metadata.integer("gemma3.vocab_size") == 262208);
  CHECK(metadata.integer("gemma3.attention.sliding_window") == 1024);
  CHECK(metadata.number("gemma3.rope.scaling.factor") == 8.0);
  CHECK(metadata.integer("tokenizer.ggml.eos_token_id") == 1);
  CHECK(config.tied);
  expect_corrupt(R"({"model_type": "gemma3", "hidden_size": 8})", {"text_config", "nothing"});
  expect_corrupt(R"({"model_type": "gemma3", "text_config": {"num_hidden_layers": 1}})", {"text_config.hidden_size"});
}

TEST_CASE("Tensors of pictures are none of the text part's") {
  const HfFamily& family = *find_hf_family("gemma3");
  CHECK(text_part_name(family, "language_model.model.norm.weight") == "model.norm.weight");
  CHECK(text_part_name(family, "model.language_model.norm.weight") == "model.norm.weight");
  CHECK(text_part_name(family, "vision_tower.encoder.layers.0.mlp.fc1.weight") == std::nullopt);
  CHECK(text_part_name(family, "multi_modal_projector.mm_soft_emb_norm.weight") == std::nullopt);
  CHECK(text_part_name(*find_hf_family("llama"), "vision_tower.x") == "vision_tower.x");
}

TEST_CASE("LongRoPE has two lists of divisors, and older files call it su") {
  for (const char* type : {"longrope", "su", "yarn"}) {
    const std::string more = std::string(R"(, "original_max_position_embeddings": 32, "rope_scaling": {
        "short_factor": [1, 2], "long_factor": [3, 4.5], "type": ")") +
                             type + "\"}";
    const HfConfig config = read_family("phi3", more);
    CHECK(config.tensors.at("rope_factors_short.weight") == std::vector<float>{1.0F, 2.0F});
    CHECK(config.tensors.at("rope_factors_long.weight") == std::vector<float>{3.0F, 4.5F});
    CHECK(config.metadata.integer("phi3.rope.scaling.original_context_length") == 32);
    // sqrt(1 + ln(128 / 32) / ln 32)
    CHECK(config.metadata.number("phi3.rope.scaling.attn_factor").value_or(0) == doctest::Approx(1.18321596));
  }
  for (const char* list : {"[1]", "[1, 0]", "[1, -1]", "[1, \"2\"]", "2", "null"}) {
    CAPTURE(list);
    const std::string more = std::string(R"(, "rope_scaling": {"type": "longrope", "short_factor": [1, 2],
        "long_factor": )") + list +
                             "}";
    expect_error(ErrorCode::corrupt_file, {"long_factor"}, [&] { (void)read_family("phi3", more); });
  }
}

TEST_CASE("Linear RoPE scaling is read in its older and its newer form") {
  for (const char* more : {R"(, "rope_scaling": {"type": "linear", "factor": 4})",
                           R"(, "rope_scaling": {"rope_type": "linear", "factor": 4.0})",
                           R"(, "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000})"}) {
    const HfConfig config = read_more(more);
    CHECK(config.metadata.string("llama.rope.scaling.type") == "linear");
    CHECK(config.metadata.number("llama.rope.scaling.factor") == 4.0);
  }
  const HfConfig plain = read_more(R"(, "rope_parameters": {"rope_type": "default", "rope_theta": 77})");
  CHECK(plain.metadata.number("llama.rope.freq_base") == 77.0);
  CHECK_FALSE(plain.metadata.contains("llama.rope.scaling.type"));
}

// As transformers computes it, step by step, in double precision.
double llama3_divisor(int i, int dim, double base, double factor, double low, double high, double context) {
  const double frequency = 1.0 / std::pow(base, 2.0 * i / dim);
  const double wavelength = 2 * 3.14159265358979323846 / frequency;
  if (wavelength < context / high) return 1.0;
  if (wavelength > context / low) return factor;
  const double smooth = (context / wavelength - low) / (high - low);
  return frequency / ((1 - smooth) * frequency / factor + smooth * frequency);
}

TEST_CASE("Llama 3's RoPE scaling becomes what divides each frequency") {
  const std::string config = tiny_llama_config(R"(, "head_dim": 128, "rope_theta": 500000.0, "rope_scaling": {
    "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
    "rope_type": "llama3"})");
  const auto weights = read_tiny(config, safetensors(tiny_llama_tensors()));
  const Tensor& tensor = weights->require("rope_freqs.weight", {64});
  CHECK(tensor.type == TensorType::f32);
  const auto* divisors = reinterpret_cast<const float*>(tensor.data.data());
  int kept = 0;
  int stretched = 0;
  for (int i = 0; i < 64; ++i) {
    CAPTURE(i);
    CHECK(divisors[i] == doctest::Approx(llama3_divisor(i, 128, 500000.0, 32, 1, 4, 8192)).epsilon(1e-6));
    kept += divisors[i] == 1.0F ? 1 : 0;
    stretched += divisors[i] == 32.0F ? 1 : 0;
  }
  CHECK(kept > 20);
  CHECK(stretched > 20);
  CHECK(kept + stretched < 64);
  CHECK_FALSE(weights->metadata().contains("llama.rope.scaling.type"));
}

TEST_CASE("A RoPE scaling that is unknown or incomplete is refused by name") {
  expect_unsupported(R"(, "rope_scaling": {"type": "dynamic", "factor": 4})", {"rope_scaling.rope_type", "'dynamic'"});
  expect_corrupt(tiny_llama_config(R"(, "rope_scaling": {"type": "yarn"})"), {"'rope_scaling.factor'", "nothing"});
  expect_corrupt(tiny_llama_config(R"(, "partial_rotary_factor": 1.5)"), {"partial_rotary_factor", "at most 1"});
  expect_corrupt(tiny_llama_config(R"(, "rope_scaling": {"type": "linear"})"), {"'rope_scaling.factor'", "nothing"});
  expect_corrupt(tiny_llama_config(R"(, "rope_scaling": {"type": "linear", "factor": 0})"), {"positive"});
  expect_corrupt(tiny_llama_config(R"(, "rope_scaling": {"type": "linear", "factor": -2})"), {"positive"});
  expect_corrupt(tiny_llama_config(R"(, "rope_scaling": 4)"), {"'rope_scaling'", "object"});
  expect_corrupt(tiny_llama_config(R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8})"), {"low_freq_factor"});
  expect_corrupt(tiny_llama_config(R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4,
    "high_freq_factor": 4, "original_max_position_embeddings": 8192})"),
                 {"high_freq_factor"});
}

TEST_CASE("Of RoPE's forms those count that transformers reads") {
  const auto number = [](const HfConfig& config, const std::string& key) {
    return config.metadata.number(std::string(config.family->architecture) + ".rope." + key).value_or(0.0);
  };
  const HfConfig both = read_more(R"(, "rope_theta": 9e5, "rope_parameters": {"rope_theta": 500.0},
    "rope_scaling": {"rope_type": "linear", "factor": 4.0})");
  CHECK(number(both, "freq_base") == 9e5);
  CHECK(number(both, "scaling.factor") == 4.0);
  CHECK(number(read_more(R"(, "rope_scaling": {}, "rope_parameters": {"rope_theta": 500.0})"), "freq_base") == 500.0);
  // The first training's context at the root stands before that inside, where the form is flat.
  const std::string yarn = R"("rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64)";
  const std::string root = R"(, "original_max_position_embeddings": 256)";
  constexpr const char* kContext = "scaling.original_context_length";
  CHECK(number(read_more(R"(, "rope_parameters": {)" + yarn + "}" + root), kContext) == 256);
  const std::string nested = R"(, "rope_parameters": {"full_attention": {)" + yarn + "}}";
  CHECK(number(read_family("olmo3", nested + root), kContext) == 64);
  CHECK(number(read_family("olmo3", nested), "freq_base_swa") == 500'000.0);
  CHECK(number(read_family("olmo3", R"(, "rope_theta": 7.0)"), "freq_base_swa") == 500'000.0);
  CHECK(number(read_family("olmo3", R"(, "rope_theta": 7.0)"), "freq_base") == 7.0);
  expect_error(ErrorCode::unsupported, {"sliding_attention.rope_type", "'linear'"}, [] {
    (void)read_family("olmo3", R"(, "rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2.0}})");
  });
  // One number of YaRN's alone says nothing.
  CHECK(number(read_more(R"(, "rope_parameters": {"mscale": 1.0, )" + yarn + "}"), "scaling.attn_factor") == 0.0);
  CHECK(number(read_more(R"(, "rope_parameters": {"attention_factor": 1.5, )" + yarn + "}"), "scaling.attn_factor") ==
        doctest::Approx(1.5 / (0.1 * std::log(4.0) + 1.0)));
}

TEST_CASE("A configuration is read as Python's json module reads it") {
  CHECK(read(tiny_llama_config(R"(, "max_position_embeddings": 64, "limits": [0.0, Infinity, -Infinity], "d": NaN)"))
            .metadata.integer("llama.context_length") == 64);  // the last of two
  CHECK(read(with("max_position_embeddings", "64.0")).metadata.integer("llama.context_length") == 64);
  expect_corrupt(tiny_llama_config(R"(, "rms_norm_eps": NaN)"), {"rms_norm_eps", "NaN"});
  CHECK(read_more(R"(, "hidden_act": "swish")").family != nullptr);
}

TEST_CASE("A family that emelex does not have is refused by name, before anything else") {
  expect_error(ErrorCode::unsupported, {"model_type", "llama, mistral", "'mamba'", "tiny/config.json"},
               [] { (void)read(R"({"model_type": "mamba"})"); });
  expect_error(ErrorCode::unsupported, {"model_type", "''"}, [] { (void)read("{}"); });
  expect_corrupt(R"({"model_type": 3})", {"model_type", "a string", "'3'"});
}

TEST_CASE("What would be computed wrongly is refused") {
  expect_unsupported(R"(, "hidden_act": "gelu")", {"hidden_act", "'silu'", "'gelu'"});
  const auto refused = [](const char* model_type, const char* more, const char* key) {
    expect_error(ErrorCode::unsupported, {key}, [&] { (void)read_family(model_type, more); });
  };
  refused("phi", R"(, "hidden_act": "gelu_new", "qk_layernorm": true)", "qk_layernorm");
  refused("gemma3_text", R"(, "hidden_act": "gelu_pytorch_tanh", "use_bidirectional_attention": true)",
          "use_bidirectional_attention");
  refused("gemma2", R"(, "hidden_act": "silu")", "hidden_act");
  expect_unsupported(R"(, "quantization_config": {"quant_method": "gptq", "bits": 4})", {"quant_method", "'gptq'"});
}

TEST_CASE("A key that is missing, of another type or out of range is named with its value") {
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"}) {
    expect_corrupt(with(key, ""), {key, "nothing", "tiny/config.json"});
    expect_corrupt(with(key, "0"), {key, "an integer from 1", "'0'"});
    expect_corrupt(with(key, "-1"), {key, "'-1'"});
    expect_corrupt(with(key, "8.5"), {key, "'8.5'"});
    expect_corrupt(with(key, "\"8\""), {key});
    expect_corrupt(with(key, "[8]"), {key, "a list or object"});
    expect_corrupt(with(key, "9223372036854775807"), {key});
    expect_corrupt(with(key, "18446744073709551615"), {key});
    expect_corrupt(with(key, "1e400"), {"JSON"});
  }
  expect_corrupt(with("hidden_size", "1"), {"hidden_size"});          // heads without values
  expect_corrupt(with("hidden_size", "100000000"), {"hidden_size"});  // heads of 50 million
  expect_corrupt(tiny_llama_config(R"(, "head_dim": 5000)"), {"head_dim", "'5000'"});
  expect_corrupt(tiny_llama_config(R"(, "rms_norm_eps": 0)"), {"rms_norm_eps", "positive"});
  expect_corrupt(tiny_llama_config(R"(, "rope_theta": "big")"), {"rope_theta", "positive"});
  expect_corrupt(tiny_llama_config(R"(, "tie_word_embeddings": 1)"), {"tie_word_embeddings", "true or false"});
  expect_corrupt(tiny_llama_config(R"(, "eos_token_id": -2)"), {"eos_token_id"});
  expect_corrupt(tiny_llama_config(R"(, "eos_token_id": [-1])"), {"eos_token_id"});
  expect_corrupt(tiny_llama_config(R"(, "eos_token_id": [1, "\u001b[2J"])"), {"eos_token_id"});
}

TEST_CASE("A configuration that is no bounded JSON object is refused") {
  expect_corrupt("", {"JSON"});
  expect_corrupt("[]", {"JSON object", "array"});
  expect_corrupt("{\"model_type\": \"llama\"", {"JSON"});
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  expect_corrupt(deep, {"32 levels"});
  expect_corrupt("{\"a\": \"" + std::string((16 << 20) + 1, 'a') + "\"}", {"at most 16777216 bytes"});
}

}  // namespace
}  // namespace emelex
