#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>
#include <vector>

#include "base/json_text.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "tools/quantize/hf_files.h"

namespace emelex {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const Metadata& metadata, std::string_view expected, std::string_view got) {
  throw Error(ErrorCode::unsupported,
              str_cat("[quantize] expected ", expected, ", got ", got, " in ", metadata.source()));
}

// What divides each RoPE frequency under Llama 3.1's rule; see read_llama3_scaling in
// weights/safetensors/hf_config.cpp.
double llama3_divisor(double base, double dim, size_t i, double factor) {
  constexpr double kLow = 1.0;
  constexpr double kHigh = 4.0;
  constexpr double kContext = 8192.0;
  const double frequency = std::pow(base, -2.0 * static_cast<double>(i) / dim);
  const double waves = kContext * frequency / (2.0 * std::numbers::pi);
  const double kept = std::clamp((waves - kLow) / (kHigh - kLow), 0.0, 1.0);
  return 1.0 / ((1.0 - kept) / factor + kept);
}

// GGUF has the divisors themselves, config.json the rule that they follow. Every model that has any follows one rule,
// with a factor of its own.
Json rope_scaling_of_divisors(const Weights& weights, const Tensor& divisors, double base) {
  std::vector<float> values(static_cast<size_t>(divisors.columns()));
  divisors.read_rows(0, values);
  const double factor = static_cast<double>(*std::max_element(values.begin(), values.end()));
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = llama3_divisor(base, 2.0 * static_cast<double>(values.size()), i, factor);
    if (std::abs(static_cast<double>(values[i]) - expected) > 1e-3 * expected) {
      fail(weights.metadata(), "RoPE frequencies of Llama 3's rule", str_cat("others in ", divisors.name));
    }
  }
  return {{"rope_type", "llama3"},
          {"factor", factor},
          {"low_freq_factor", 1.0},
          {"high_freq_factor", 4.0},
          {"original_max_position_embeddings", 8192}};
}

Json rope_scaling(const Weights& weights, double base) {
  const Metadata& metadata = weights.metadata();
  if (const Tensor* divisors = weights.find("rope_freqs.weight")) {
    return rope_scaling_of_divisors(weights, *divisors, base);
  }
  const std::string type = metadata.string("llama.rope.scaling.type").value_or("none");
  if (type == "none") return nullptr;
  if (type != "linear") fail(metadata, "llama.rope.scaling.type none or linear", quote_bytes(type));
  return {{"rope_type", "linear"}, {"factor", metadata.require_number("llama.rope.scaling.factor")}};
}

}  // namespace

std::string hf_config_json(const Weights& weights, const std::string& dtype) {
  const Metadata& metadata = weights.metadata();
  const std::string architecture = metadata.require_string("general.architecture");
  if (architecture != "llama") fail(metadata, "the architecture llama", quote_bytes(architecture));
  const auto integer = [&](const char* key) {
    return metadata.require_integer(str_cat("llama.", key), 1, int64_t{1} << 40);
  };
  const int64_t heads = integer("attention.head_count");
  const int64_t dim = integer("embedding_length");
  const int64_t head_dim = metadata.integer("llama.attention.key_length").value_or(dim / heads);
  if (metadata.integer("llama.rope.dimension_count").value_or(head_dim) != head_dim) {
    fail(metadata, "RoPE over all of a head", "over a part of it");
  }
  const double base = metadata.number("llama.rope.freq_base").value_or(10'000.0);
  const Tensor* table = weights.find("token_embd.weight");
  if (table == nullptr) fail(metadata, "a tensor token_embd.weight", "none");

  const bool experts = metadata.integer("llama.expert_count").value_or(0) > 0;
  const int64_t window = metadata.integer("llama.attention.sliding_window").value_or(0);
  const char* family = experts ? "Mixtral" : window > 0 ? "Mistral" : "Llama";
  const bool attention_bias = weights.find("blk.0.attn_q.bias") != nullptr;
  const bool mlp_bias = weights.find("blk.0.ffn_up.bias") != nullptr;
  if ((attention_bias || mlp_bias) && (experts || window > 0)) {
    fail(metadata, str_cat("no biases, which transformers has none of in ", family), "some");
  }
  Json config = {{"architectures", {str_cat(family, "ForCausalLM")}},
                 {"model_type", experts      ? "mixtral"
                                : window > 0 ? "mistral"
                                             : "llama"},
                 {"hidden_act", "silu"},
                 {"hidden_size", dim},
                 {"intermediate_size", integer("feed_forward_length")},
                 {"num_hidden_layers", integer("block_count")},
                 {"num_attention_heads", heads},
                 {"num_key_value_heads", metadata.integer("llama.attention.head_count_kv").value_or(heads)},
                 {"head_dim", head_dim},
                 {"rms_norm_eps", metadata.require_number("llama.attention.layer_norm_rms_epsilon")},
                 {"vocab_size", table->rows()},
                 {"max_position_embeddings", integer("context_length")},
                 {"rope_theta", base},
                 {"attention_bias", attention_bias},
                 {"mlp_bias", mlp_bias},
                 {"tie_word_embeddings", weights.find("output.weight") == nullptr},
                 {"torch_dtype", dtype}};
  if (const Json scaling = rope_scaling(weights, base); !scaling.is_null()) config["rope_scaling"] = scaling;
  if (experts) {
    config["num_local_experts"] = integer("expert_count");
    config["num_experts_per_tok"] = integer("expert_used_count");
  }
  if (window > 0) config["sliding_window"] = window;
  for (const char* name : {"bos", "eos"}) {
    const auto id = metadata.integer(str_cat("tokenizer.ggml.", name, "_token_id"));
    if (id && *id >= 0 && *id < table->rows()) config[str_cat(name, "_token_id")] = *id;
  }
  return json_text(config, 2) + "\n";
}

}  // namespace emelex
