#include "weights/safetensors/hf_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"
#include "weights/safetensors/config_object.h"

namespace emelex {
namespace {

// The largest have a list entry for every expert's quantization: some 100,000 values in 2 MB.
constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000};
constexpr int64_t kMostHeadDim = 4096;  // 512 is the largest there is

class ConfigReader {
 public:
  ConfigReader(const Json& root, const std::string& source) : root_(root, "", source) {
    config_.metadata = Metadata(source);
  }

  HfConfig read(const std::string& name);

 private:
  // Numbers as GGUF files have them: in 32 bits where they fit, sizes unsigned.
  void add(std::string_view key, int64_t value) {
    config_.metadata.add(str_cat(config_.family->architecture, ".", key), static_cast<uint64_t>(value),
                         value <= UINT32_MAX ? 4 : 8);
  }
  void add(std::string_view key, double value) {
    config_.metadata.add(str_cat(config_.family->architecture, ".", key), value, 4);
  }
  void add(std::string_view key, std::string value) {
    config_.metadata.add(str_cat(config_.family->architecture, ".", key), std::move(value));
  }
  void add_token_id(const char* key, int64_t id) {
    config_.metadata.add(key, static_cast<uint64_t>(id), id <= UINT32_MAX ? 4 : 8);
  }
  void read_family();
  void refuse_what_is_not_computed() const;
  void read_sizes();
  void read_rope();
  void read_rope_scaling(const ConfigObject& scaling, double base);
  void read_llama3_scaling(const ConfigObject& scaling, double base);
  void read_token_ids();

  ConfigObject root_;
  HfConfig config_;
  int64_t head_dim_ = 0;
};

HfConfig ConfigReader::read(const std::string& name) {
  read_family();
  config_.metadata.add("general.architecture", std::string(config_.family->architecture));
  config_.metadata.add("general.name", name);
  refuse_what_is_not_computed();
  config_.quantization = read_hf_quantization(root_);
  read_sizes();
  read_rope();
  read_token_ids();
  config_.tied = root_.boolean("tie_word_embeddings").value_or(false);
  return std::move(config_);
}

void ConfigReader::read_family() {
  const std::string model_type = root_.string("model_type").value_or("");
  config_.family = find_hf_family(model_type);
  if (config_.family != nullptr) return;
  root_.fail(ErrorCode::unsupported, "model_type", str_cat("one of the known ones (", hf_family_names(), ")"),
             quote_bytes(model_type));
}

// What would give wrong text if it was passed over.
void ConfigReader::refuse_what_is_not_computed() const {
  const std::string activation = root_.string("hidden_act").value_or("silu");
  if (activation != "silu") root_.fail(ErrorCode::unsupported, "hidden_act", "'silu'", quote_bytes(activation));
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    if (root_.boolean(key).value_or(false)) root_.fail(ErrorCode::unsupported, key, "false", "true");
  }
}

void ConfigReader::read_sizes() {
  const HfFamily& family = *config_.family;
  const int64_t n_heads = root_.require_integer("num_attention_heads", 1);
  const int64_t dim = root_.require_integer("hidden_size", 1);
  head_dim_ = root_.integer("head_dim", 1, kMostHeadDim).value_or(dim / n_heads);
  if (head_dim_ < 1 || head_dim_ > kMostHeadDim) {
    root_.fail(ErrorCode::corrupt_file, "hidden_size",
               str_cat(n_heads, " (num_attention_heads) to ", kMostHeadDim, " times as much"), str_cat(dim));
  }
  int64_t context_length = root_.integer("max_position_embeddings", 1).value_or(family.context_length);
  if (family.sliding_window) {
    // Up to the window's length, attention with and without it is the same; beyond, emelex does not have it. null says
    // that there is none, a missing key leaves the family's.
    const auto window = root_.contains("sliding_window") ? root_.integer("sliding_window", 1) : family.sliding_window;
    context_length = std::min(context_length, window.value_or(context_length));
  }
  add("block_count", root_.require_integer("num_hidden_layers", 1));
  add("context_length", context_length);
  add("embedding_length", dim);
  add("feed_forward_length", root_.require_integer("intermediate_size", 1));
  add("vocab_size", root_.require_integer("vocab_size", 1));
  add("attention.head_count", n_heads);
  add("attention.head_count_kv", root_.integer("num_key_value_heads", 1).value_or(family.n_kv_heads.value_or(n_heads)));
  add("attention.key_length", head_dim_);
  add("attention.value_length", head_dim_);
  add("attention.layer_norm_rms_epsilon", root_.positive("rms_norm_eps").value_or(1e-6));
}

// Older files have rope_theta and rope_scaling, newer ones both in rope_parameters.
void ConfigReader::read_rope() {
  const auto parameters = root_.object("rope_parameters");
  const auto scaling = parameters ? parameters : root_.object("rope_scaling");
  double base = root_.positive("rope_theta").value_or(10'000.0);
  if (parameters) base = parameters->positive("rope_theta").value_or(base);
  add("rope.dimension_count", head_dim_);
  add("rope.freq_base", base);
  config_.metadata.add("emelex.rope.interleaved", false);
  if (scaling) read_rope_scaling(*scaling, base);
}

void ConfigReader::read_rope_scaling(const ConfigObject& scaling, double base) {
  const std::string type = scaling.string("rope_type").value_or(scaling.string("type").value_or("default"));
  if (type == "default") return;
  if (type == "linear") {
    add("rope.scaling.type", std::string("linear"));
    add("rope.scaling.factor", scaling.require_positive("factor"));
  } else if (type == "llama3") {
    read_llama3_scaling(scaling, base);
  } else {
    scaling.fail(ErrorCode::unsupported, "rope_type", "default, linear or llama3", quote_bytes(type));
  }
}

// Llama 3.1's: waves that are long against the context that it was first trained with are stretched by `factor`, short
// ones kept, those between blended. https://github.com/meta-llama/llama-models/blob/main/models/llama3/model.py
void ConfigReader::read_llama3_scaling(const ConfigObject& scaling, double base) {
  const double factor = scaling.require_positive("factor");
  const double low = scaling.require_positive("low_freq_factor");
  const double high = scaling.require_positive("high_freq_factor");
  const double context = scaling.require_positive("original_max_position_embeddings");
  if (!(high > low)) scaling.fail(ErrorCode::corrupt_file, "high_freq_factor", str_cat("above ", low), str_cat(high));
  for (int64_t i = 0; i < head_dim_ / 2; ++i) {
    const double frequency = std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim_));
    const double waves = context * frequency / (2.0 * std::numbers::pi);  // that fit into the context
    const double kept = std::clamp((waves - low) / (high - low), 0.0, 1.0);
    config_.rope_divisors.push_back(static_cast<float>(1.0 / ((1.0 - kept) / factor + kept)));
  }
}

void ConfigReader::read_token_ids() {
  if (const auto bos = root_.integer("bos_token_id", 0)) add_token_id("tokenizer.ggml.bos_token_id", *bos);
  const Json* eos = root_.find("eos_token_id");
  if (eos == nullptr) return;
  if (!eos->is_array()) {
    add_token_id("tokenizer.ggml.eos_token_id", *root_.integer("eos_token_id", 0));
    return;
  }
  std::vector<int64_t> ids;
  for (const Json& id : *eos) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > static_cast<uint64_t>(kMostConfigInteger)) {
      root_.fail("eos_token_id", "token ids", id);
    }
    ids.push_back(id.get<int64_t>());
  }
  if (ids.empty()) return;
  add_token_id("tokenizer.ggml.eos_token_id", ids.front());
  config_.metadata.add("emelex.eos_token_ids", std::move(ids));
}

}  // namespace

HfConfig read_hf_config(std::string_view text, const std::string& source, const std::string& name) {
  const Json root = parse_json(text, kConfigLimits, "config", source);
  if (!root.is_object()) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[config] expected a JSON object, got ", root.type_name(), " in ", source));
  }
  return ConfigReader(root, source).read(name);
}

}  // namespace emelex
