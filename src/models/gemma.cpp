#include <cmath>
#include <optional>
#include <vector>

#include "models/family.h"

// Gemma 2 (arXiv:2408.00118): every other layer has a window, scores and logits are capped. Gemma 3 (arXiv:2503.19786):
// five layers of six have a window and rotary embeddings of their own, never scaled; heads' queries and keys are
// normalized.
namespace emelex {
namespace {

void add_query_scale(const ConfigObject& root, HfKeys& keys) {
  keys.add("attention.scale", 1.0 / std::sqrt(root.positive("query_pre_attn_scalar").value_or(256.0)));
}

// A soft cap: null says that there is none, which is 0 in a GGUF file; a missing key leaves `otherwise`.
void add_cap(const ConfigObject& root, const char* key, double otherwise, HfKeys& keys) {
  const auto cap = root.contains(key) ? root.positive(key) : std::optional(otherwise);
  keys.add(key, cap.value_or(0.0));
}

void read_gemma2_keys(const ConfigObject& root, HfKeys& keys) {
  root.refuse_true("use_bidirectional_attention");
  add_query_scale(root, keys);
  add_cap(root, "attn_logit_softcapping", 50.0, keys);
  add_cap(root, "final_logit_softcapping", 30.0, keys);
  const auto window = window_size(root, 4096);
  add_window(root, keys, window, sliding_layers(root, [](int64_t i) { return i % 2 == 0; }));
  // Without these keys a file has the window of the model's first days.
  if (!window) keys.add("attention.sliding_window_pattern", std::vector<bool>(static_cast<size_t>(layer_count(root))));
}

void read_gemma3_keys(const ConfigObject& root, HfKeys& keys) {
  root.refuse_true("use_bidirectional_attention");
  add_query_scale(root, keys);
  if (const auto cap = root.positive("final_logit_softcapping")) keys.add("final_logit_softcapping", *cap);
  const int64_t period = root.integer("sliding_window_pattern", 1).value_or(6);
  add_window(root, keys, window_size(root, 4096),
             sliding_layers(root, [period](int64_t i) { return (i + 1) % period != 0; }));
}

// An RMSNorm before and one after each half, GeGLU in the MLP.
class GemmaBlock : public Block {
 public:
  GemmaBlock(const LayerBuilder& builder, AttentionParts matrices, const AttentionConfigPtr& attention, int layer)
      : backend_(&builder.backend()),
        attention_(std::move(matrices), attention, layer),
        post_attention_norm_(builder.norm("post_attention_norm")),
        mlp_(builder.gated_mlp(Activation::gelu, "ffn_norm")),
        post_mlp_norm_(builder.norm("post_ffw_norm")) {}

  mx::array operator()(const mx::array& x, const Batch& batch) const override {
    const auto y = backend_->add(x, (*post_attention_norm_)(attention_(x, batch), batch));
    return backend_->add(y, (*post_mlp_norm_)((*mlp_)(y, batch), batch));
  }
  LayerMemory memory() const override { return attention_.memory(); }

 private:
  Backend* backend_;
  Attention attention_;
  std::unique_ptr<Norm> post_attention_norm_;
  std::unique_ptr<Mlp> mlp_;
  std::unique_ptr<Norm> post_mlp_norm_;
};

// A soft cap of the file's, where 0 says that there is none. A missing key is `otherwise`.
float soft_cap(const ConfigKeys& keys, const char* key, double otherwise) {
  return static_cast<float>(keys.contains(key) ? keys.positive_or_none(key).value_or(0.0) : otherwise);
}

// Both scale the embeddings and may cap the logits.
DecoderScales gemma_scales(const ModelConfig& config, const ConfigKeys& keys, double logit_cap) {
  DecoderScales scales;
  scales.embedding = std::sqrt(static_cast<float>(config.dim));
  scales.logit_soft_cap = soft_cap(keys, "final_logit_softcapping", logit_cap);
  return scales;
}

// What the scores of attention are scaled by where the file does not say, as it does not in GGUF: the root of a head's
// size, but for the largest model, of `layers`, the root of a head's share of the embedding.
void set_gemma_scale(const ConfigKeys& keys, int layers, ModelConfig& config) {
  if (const auto scale = keys.positive_or_none("attention.scale")) {
    config.attention.scale = static_cast<float>(*scale);
    return;
  }
  if (config.n_layers != layers) return;
  config.attention.scale = 1.0F / std::sqrt(static_cast<float>(config.dim / config.attention.n_heads));
}

std::unique_ptr<Model> make_gemma(const ModelInput& source, const ModelConfig& config,
                                  const SlidingWindowAttention& attention, std::optional<LayerBuilder::QkNorm> qk_norm,
                                  double logit_cap) {
  const ConfigKeys keys(*source.weights);
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, gemma_scales(config, keys, logit_cap),
                      [&](const LayerBuilder& layer, int i) -> std::unique_ptr<Block> {
                        auto matrices = qk_norm ? layer.attention(*qk_norm, "attn_norm") : layer.attention("attn_norm");
                        return std::make_unique<GemmaBlock>(layer, std::move(matrices), attention.layer(i), i);
                      });
}

std::unique_ptr<Model> make_gemma2(const ModelInput& source) {
  const ConfigKeys keys(*source.weights);
  ModelConfig config = read_model_config(source);
  set_gemma_scale(keys, 46, config);
  // Files of the model's first days lack both caps and the window, which llama.cpp then takes from the paper.
  config.attention.soft_cap = soft_cap(keys, "attn_logit_softcapping", 50.0);
  return make_gemma(source, config, read_sliding_window_attention(source, config, {.period = 2, .window = 4096}),
                    std::nullopt, 30.0);
}

std::unique_ptr<Model> make_gemma3(const ModelInput& source) {
  const ConfigKeys keys(*source.weights);
  ModelConfig config = read_model_config(source);
  set_gemma_scale(keys, 62, config);
  const auto attention = read_sliding_window_attention(source, config, {.period = 6, .local_rope_base = 10'000.0});
  return make_gemma(source, config, attention, LayerBuilder::QkNorm::of_heads, 0.0);
}

const RegisterArchitecture gemma2({.name = "gemma2",
                                   .rope_pairs = RopePairs::halves,
                                   .biases = {.allowed = kAttentionBiases},
                                   .partial_rope = true,
                                   .make = make_gemma2});
const RegisterArchitecture gemma3({.name = "gemma3",
                                   .rope_pairs = RopePairs::halves,
                                   .biases = {.allowed = kAttentionBiases},
                                   .partial_rope = true,
                                   .one_rope_scale = true,
                                   .make = make_gemma3});

const RegisterHfFamily gemma2_folders({.model_type = "gemma2",
                                       .architecture = "gemma2",
                                       .modules = sandwich_modules(),
                                       .read_more = read_gemma2_keys,
                                       .activation = "gelu_pytorch_tanh",
                                       .norm = HfNorm::rms_less_one,
                                       .context_length = 8192,
                                       .n_kv_heads = 4,
                                       .null_kv_heads = false,
                                       .head_dim = 256,
                                       .tied = true});

HfFamily gemma3_text() {
  return {.model_type = "gemma3_text",
          .architecture = "gemma3",
          .modules = sandwich_modules(),
          .read_more = read_gemma3_keys,
          .activation = "gelu_pytorch_tanh",
          .norm = HfNorm::rms_less_one,
          .context_length = 131'072,
          .n_kv_heads = 4,
          .null_kv_heads = false,
          .head_dim = 256,
          .rope_base = 1'000'000.0,
          .rope_form = HfRopeForm::nested,
          .local_rope_base = 10'000.0,
          .has_local_base_key = true,
          .tied = true};
}

// One that reads pictures, too.
HfFamily gemma3_with_text_part() {
  HfFamily family = gemma3_text();
  family.model_type = "gemma3";
  family.n_heads = 8;
  family.vocab_size = 262'208;
  family.has_text_part = true;
  return family;
}

const RegisterHfFamily gemma3_text_folders(gemma3_text());
const RegisterHfFamily gemma3_folders(gemma3_with_text_part());

}  // namespace
}  // namespace emelex
