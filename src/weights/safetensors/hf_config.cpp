#include "weights/safetensors/hf_config.h"

#include <optional>
#include <set>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"
#include "weights/bounded_json.h"
#include "weights/safetensors/config_object.h"
#include "weights/safetensors/hf_key_rules.h"
#include "weights/safetensors/hf_keys.h"
#include "weights/safetensors/hf_layers.h"
#include "weights/safetensors/hf_rope.h"

namespace emelex {
namespace {

// The largest have a list entry for every expert's quantization: some 100,000 values in 2 MB.
constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000, true};
constexpr int64_t kMostHeadDim = 4096;  // 512 is the largest there is

class ConfigReader {
 public:
  ConfigReader(const Json& root, const std::string& source, std::set<std::string, std::less<>>* record = nullptr)
      : root_(root, "", source, record), text_(root_) {
    config_.metadata = Metadata(source);
  }

  HfConfig read(const std::string& name);

 private:
  template <class T>
  void add(std::string_view key, T value) {
    HfKeys(config_.metadata, config_.family->architecture).add(key, std::move(value));
  }
  void add_token_id(const char* key, int64_t id) {
    config_.metadata.add(key, static_cast<uint64_t>(id), id <= UINT32_MAX ? 4 : 8);
  }
  int64_t size(std::string_view key, std::optional<int64_t> otherwise) const {
    return otherwise ? text_.integer(key, 1).value_or(*otherwise) : text_.require_integer(key, 1);
  }
  void read_family();
  void find_text_part();
  void refuse_what_is_not_computed() const;
  void refuse_other_heads() const;
  void check_layer_types() const;
  void read_biases();
  void read_sizes();
  int64_t read_kv_heads(int64_t n_heads) const;
  void read_expert_layers();
  void read_token_ids();

  ConfigObject root_;
  ConfigObject text_;
  HfConfig config_;
  int64_t head_dim_ = 0;
};

HfConfig ConfigReader::read(const std::string& name) {
  read_family();
  config_.facts.from_config = true;
  config_.metadata.add("general.architecture", std::string(config_.family->architecture));
  config_.metadata.add("general.name", name);
  config_.quantization = read_hf_quantization(root_);
  find_text_part();
  refuse_what_is_not_computed();
  check_layer_types();
  read_biases();
  read_sizes();
  read_expert_layers();
  read_hf_rope(text_, head_dim_, config_);
  HfKeys keys(config_.metadata, config_.family->architecture);
  if (config_.family->read_more != nullptr) config_.family->read_more(text_, keys);
  read_token_ids();
  // Of a model that reads pictures the whole's counts, and not its text part's.
  config_.tied = root_.boolean("tie_word_embeddings").value_or(config_.family->tied);
  return std::move(config_);
}

void ConfigReader::read_family() {
  const std::string model_type = root_.string("model_type").value_or("");
  config_.family = find_hf_family(model_type);
  if (config_.family != nullptr) return;
  const std::string known = hf_families().names();
  root_.fail(ErrorCode::unsupported, "model_type",
             known.empty()
                 ? "a known one (there are none without emelex::models, which this program is not linked with)"
                 : str_cat("one of the known ones (", known, ")"),
             quote_bytes(model_type));
}

// What describes the text model: the whole, or a part of it.
void ConfigReader::find_text_part() {
  if (!config_.family->has_text_part) return;
  const auto part = root_.object("text_config");
  if (!part) root_.fail(ErrorCode::corrupt_file, "text_config", "an object", "nothing");
  text_ = *part;
  config_.facts.text_part_of = config_.family->model_type;
}

// transformers has two names for each of these.
bool is_same_activation(std::string_view a, std::string_view b) {
  const auto main_name = [](std::string_view name) {
    return name == "swish" ? "silu" : name == "gelu_new" ? "gelu_pytorch_tanh" : name;
  };
  return main_name(a) == main_name(b);
}

// What would give wrong text if it was passed over.
void ConfigReader::refuse_what_is_not_computed() const {
  const std::string_view expected = config_.family->activation;
  const char* key = text_.contains("hidden_activation") ? "hidden_activation" : "hidden_act";
  const std::string activation = text_.string(key).value_or(std::string(expected));
  if (!is_same_activation(activation, expected)) {
    text_.fail(ErrorCode::unsupported, key, quote_bytes(expected), quote_bytes(activation));
  }
  if (!text_.boolean("is_causal").value_or(true)) {
    text_.fail(ErrorCode::unsupported, "is_causal", "true", "false (an embedding model, which does not write text)");
  }
  refuse_other_heads();
}

// Models that give something else than the next token have the same model_type.
void ConfigReader::refuse_other_heads() const {
  const Json* names = root_.find("architectures");
  if (names == nullptr || !names->is_array()) return;
  for (const Json& name : *names) {
    if (!name.is_string()) continue;
    const auto& text = name.get_ref<const std::string&>();
    for (const std::string_view head :
         {"ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForReward", "RewardModel"}) {
      if (text.find(head) == std::string::npos) continue;
      root_.fail(ErrorCode::unsupported, "architectures", "of a model that writes text", quote_bytes(text));
    }
  }
}

// The list is refused where it is not of the layers, also by families that don't ask for it.
void ConfigReader::check_layer_types() const {
  const auto types = text_.json().find("layer_types");
  if (types != text_.json().end() && !types->is_null()) (void)sliding_layers(text_, [](int64_t) { return false; });
}

void ConfigReader::read_biases() {
  const HfBiases& biases = config_.family->biases;
  config_.biases = biases.always;
  if (biases.attention_bias && text_.boolean("attention_bias").value_or(*biases.attention_bias)) {
    config_.biases += " attn_q attn_k attn_v attn_qkv attn_output";
  }
  if (biases.mlp_bias && text_.boolean("mlp_bias").value_or(*biases.mlp_bias)) {
    config_.biases += " ffn_gate ffn_up ffn_down";
  }
}

void ConfigReader::read_sizes() {
  const HfFamily& family = *config_.family;
  const int64_t n_heads = size("num_attention_heads", family.n_heads);
  const int64_t dim = text_.require_integer("hidden_size", 1);
  if (family.head_dim) text_.refuse_null("head_dim");
  head_dim_ = text_.integer("head_dim", 1, kMostHeadDim).value_or(family.head_dim.value_or(dim / n_heads));
  if (head_dim_ < 1 || head_dim_ > kMostHeadDim) {
    text_.fail(ErrorCode::corrupt_file, "hidden_size",
               str_cat(n_heads, " (num_attention_heads) to ", kMostHeadDim, " times as much"), str_cat(dim));
  }
  add("block_count", text_.require_integer("num_hidden_layers", 1));
  add("context_length", text_.integer("max_position_embeddings", 1).value_or(family.context_length));
  add("embedding_length", dim);
  add("feed_forward_length", text_.require_integer("intermediate_size", 1));
  add("vocab_size", size("vocab_size", family.vocab_size));
  add("attention.head_count", n_heads);
  add("attention.head_count_kv", read_kv_heads(n_heads));
  add("attention.key_length", head_dim_);
  add("attention.value_length", head_dim_);
  if (family.norm == HfNorm::layer) {
    add("attention.layer_norm_epsilon", text_.positive("layer_norm_eps").value_or(family.norm_eps));
  } else {
    add("attention.layer_norm_rms_epsilon", text_.positive("rms_norm_eps").value_or(family.norm_eps));
  }
}

int64_t ConfigReader::read_kv_heads(int64_t n_heads) const {
  constexpr const char* kKey = "num_key_value_heads";
  const HfFamily& family = *config_.family;
  if (!family.null_kv_heads) text_.refuse_null(kKey);
  if (!text_.contains(kKey)) return family.n_kv_heads.value_or(n_heads);
  return text_.integer(kKey, 1).value_or(n_heads);
}

void ConfigReader::read_expert_layers() {
  if (!config_.family->expert_layers) return;
  const int64_t n = layer_count(text_);
  const int64_t step = text_.integer("decoder_sparse_step", 1).value_or(1);
  std::vector<bool>& layers = config_.facts.expert_layers;
  for (int64_t i = 0; i < n; ++i) layers.push_back((i + 1) % step == 0);
  const Json* without = text_.find("mlp_only_layers");
  if (without == nullptr) return;
  if (!without->is_array()) text_.fail("mlp_only_layers", "a list of layers", *without);
  for (const Json& layer : *without) {
    if (!layer.is_number_integer()) text_.fail("mlp_only_layers", "a list of layers", *without);
    const auto i = layer.get<int64_t>();
    if (i >= 0 && i < n) layers[static_cast<size_t>(i)] = false;
  }
}

void ConfigReader::read_token_ids() {
  const ConfigObject& from = root_.contains("eos_token_id") ? root_ : text_;
  // Some write -1 for none.
  if (const auto bos = from.integer("bos_token_id", -1); bos && *bos >= 0)
    add_token_id("tokenizer.ggml.bos_token_id", *bos);
  const Json* eos = from.find("eos_token_id");
  if (eos == nullptr) return;
  if (!eos->is_array()) {
    const int64_t id = *from.integer("eos_token_id", -1);
    if (id >= 0) add_token_id("tokenizer.ggml.eos_token_id", id);
    return;
  }
  std::vector<int64_t> ids;
  for (const Json& id : *eos) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > static_cast<uint64_t>(kMostConfigInteger)) {
      from.fail("eos_token_id", "token ids", id);
    }
    ids.push_back(id.get<int64_t>());
  }
  if (ids.empty()) return;
  add_token_id("tokenizer.ggml.eos_token_id", ids.front());
}

}  // namespace

Json parse_config(std::string_view text, const std::string& source) {
  const bool is_bounded = text.size() <= kConfigLimits.bytes;  // else no copy is made, and the parser refuses it
  const std::string quoted = is_bounded ? quoted_non_finite(text) : "";
  Json root = parse_json(is_bounded ? quoted : text, kConfigLimits, "config", source);
  if (root.is_object()) return root;
  throw Error(ErrorCode::corrupt_file,
              str_cat("[config] expected a JSON object, got ", root.type_name(), " in ", source));
}

HfConfig read_hf_config(std::string_view text, const std::string& source, const std::string& name) {
  const Json root = parse_config(text, source);
  return ConfigReader(root, source).read(name);
}

std::vector<KeyState> hf_config_keys(std::string_view text, const std::string& source) {
  const Json root = parse_config(text, source);
  std::set<std::string, std::less<>> record;
  ConfigReader(root, source, &record).read("model");
  std::vector<KeyState> states;
  add_key_states(root, "", record, states);
  return states;
}

}  // namespace emelex
