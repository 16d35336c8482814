#include "weights/safetensors/hf_key_rules.h"

#include <string_view>

#include "weights/bounded_json.h"

namespace emelex {
namespace {

struct Rule {
  std::string_view key;
  std::string_view reason;
};

constexpr std::string_view kTraining = "it is of training alone";
constexpr std::string_view kTokens = "it names a token, which the tokenizer reads";
constexpr std::string_view kProgram = "it says which program wrote the model, and how it is to be loaded";
constexpr std::string_view kPictures = "it is of pictures, which are not read";
constexpr std::string_view kOutputs = "it says what a program gives back";

constexpr Rule kRules[] = {
    {"_name_or_path", kProgram},
    {"_attn_implementation", kProgram},
    {"architectures", kProgram},
    {"auto_map", kProgram},
    {"attn_implementation", kProgram},
    {"dtype", "weights are computed as they are stored"},
    {"torch_dtype", "weights are computed as they are stored"},
    {"transformers_version", kProgram},
    {"unsloth_version", kProgram},
    {"unsloth_fixed", kProgram},
    {"use_mrope", kPictures},
    {"pretraining_tp", "transformers does not read it any more"},
    {"initializer_range", kTraining},
    {"initializer_cutoff_factor", kTraining},
    {"initial_context_length", "it tells how the model was trained"},
    {"attention_dropout", kTraining},
    {"resid_pdrop", kTraining},
    {"embd_pdrop", kTraining},
    {"hidden_dropout", kTraining},
    {"attn_pdrop", kTraining},
    {"output_router_logits", kOutputs},
    {"router_aux_loss_coef", kTraining},
    {"router_jitter_noise", kTraining},
    {"use_cache", kOutputs},
    {"output_attentions", kOutputs},
    {"output_hidden_states", kOutputs},
    {"return_dict", kOutputs},
    {"chunk_size_feed_forward", "it is how a product is cut up"},
    {"is_encoder_decoder", "models of these families have no encoder"},
    {"is_decoder", "models of these families have no encoder"},
    {"add_cross_attention", "models of these families have no encoder"},
    {"cross_attention_hidden_size", "models of these families have no encoder"},
    {"tie_encoder_decoder", "models of these families have no encoder"},
    {"problem_type", "it is of classifiers"},
    {"id2label", "it is of classifiers"},
    {"label2id", "it is of classifiers"},
    {"num_labels", "it is of classifiers"},
    {"pad_token_id", kTokens},
    {"bos_token_id", kTokens},
    {"eos_token_id", kTokens},
    {"sep_token_id", kTokens},
    {"decoder_start_token_id", kTokens},
    {"unk_token_id", kTokens},
    {"tokenizer_class", kTokens},
    {"cache_implementation", "it is how a program keeps keys and values"},
    {"max_window_layers", "no layer has a window, or all do"},
    {"sliding_window", "no layer has a window"},
    {"layer_types", "all layers of the family are alike"},
    {"mlp_only_layers", "all layers of the family are alike"},
    {"decoder_sparse_step", "all layers of the family are alike"},
    {"moe_layers", "the tensors say which layers have experts"},
    {"rope_interleaved", "the family says it"},
    {"rope_traditional", "mlx-lm's; the family says it"},
    {"rope_local_base_freq", "the layers with a window have the others' rotation"},
    {"attn_logit_softcapping", "transformers' family does not cap scores"},
    {"sliding_window_pattern", "layer_types stands before it"},
    {"_sliding_window_pattern", "layer_types stands before it"},
    {"no_rope_layer_interval", "no_rope_layers stands before it"},
    {"original_max_position_embeddings", "its kind of scaling does not need it"},
    {"partial_rotary_factor", "all of a head turns"},
    {"head_dim", "the family derives it"},
    {"attention_bias", "the family has biases or has none"},
    {"mlp_bias", "the family has biases or has none"},
    {"experts_per_token", "num_experts_per_tok stands before it"},
    {"num_experts", "the family has no experts"},
    {"quantization_config", "quantization stands before it"},
    {"vision_config", kPictures},
    {"mm_tokens_per_image", kPictures},
    {"image_token_index", kPictures},
    {"image_token_id", kPictures},
    {"boi_token_index", kPictures},
    {"boi_token_id", kPictures},
    {"eoi_token_index", kPictures},
    {"eoi_token_id", kPictures},
    {"rope_theta", "the object of RoPE's has it"},
    {"rope_scaling", "it says nothing"},
    {"rope_parameters", "rope_scaling stands before it"},
    {"type", "rope_type stands before it"},
    {"mrope_section", kPictures},
    {"rope_parameters.factor", "its kind of scaling does not need it"},
    {"rope_parameters.truncate", "its kind of scaling does not need it"},
    {"rope_parameters.original_max_position_embeddings", "the root's stands before it"},
};

std::string_view reason_of(std::string_view whole, std::string_view last) {
  for (const Rule& rule : kRules) {
    if (rule.key == whole || rule.key == last) return rule.reason;
  }
  return {};
}

}  // namespace

void add_key_states(const Json& object, const std::string& prefix, const std::set<std::string, std::less<>>& record,
                    std::vector<KeyState>& states) {
  for (const auto& [key, value] : object.items()) {
    const std::string whole = prefix + key;
    const auto inner = record.lower_bound(whole + ".");
    const bool has_inner = inner != record.end() && inner->starts_with(whole + ".");
    if (value.is_object() && has_inner) {
      add_key_states(value, whole + ".", record, states);
      continue;
    }
    if (record.contains(whole)) {
      states.push_back({whole, KeyUse::used, ""});
      continue;
    }
    const std::string_view reason = reason_of(whole, key);
    states.push_back({whole, reason.empty() ? KeyUse::unknown : KeyUse::no_effect, std::string(reason)});
  }
}

}  // namespace emelex
