#include <cmath>
#include <optional>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/model_config.h"

namespace emelex {
namespace {

// An RMSNorm before and one after each half, GeGLU in the MLP.
class GemmaBlock : public Block {
 public:
  GemmaBlock(const Parts& parts, AttentionParts matrices, AttentionConfigPtr attention, int layer)
      : route_(&parts.route()),
        attention_norm_(parts.norm("attn_norm")),
        attention_(std::move(matrices), std::move(attention), layer),
        post_attention_norm_(parts.norm("post_attention_norm")),
        mlp_norm_(parts.norm("ffn_norm")),
        mlp_(parts.gated_mlp(Activation::gelu)),
        post_mlp_norm_(parts.norm("post_ffw_norm")) {}

  mx::array operator()(const mx::array& x, KvStore& cache, const StepPtr& step) const override {
    const auto attended = attention_((*attention_norm_)(x), cache, step);
    const auto y = route_->add(x, (*post_attention_norm_)(attended));
    return route_->add(y, (*post_mlp_norm_)((*mlp_)((*mlp_norm_)(y))));
  }
  int window() const override { return attention_.window(); }

 private:
  Route* route_;
  std::unique_ptr<Norm> attention_norm_;
  Attention attention_;
  std::unique_ptr<Norm> post_attention_norm_;
  std::unique_ptr<Norm> mlp_norm_;
  std::unique_ptr<Mlp> mlp_;
  std::unique_ptr<Norm> post_mlp_norm_;
};

// Both scale the embeddings and may cap the logits.
DecoderScales gemma_scales(const ModelConfig& config, const ConfigKeys& keys) {
  DecoderScales scales;
  scales.embedding = std::sqrt(static_cast<float>(config.dim));
  if (keys.contains("final_logit_softcapping")) {
    scales.logit_soft_cap = static_cast<float>(keys.require_positive("final_logit_softcapping"));
  }
  return scales;
}

// What the scores of attention are scaled by where the file does not say, as it does not in GGUF: the root of a head's
// size, but for the largest model, of `layers`, the root of a head's share of the embedding.
void set_gemma_scale(const ConfigKeys& keys, int layers, ModelConfig& config) {
  if (keys.contains("attention.scale") || config.n_layers != layers) return;
  config.attention.scale = 1.0F / std::sqrt(static_cast<float>(config.dim / config.attention.n_heads));
}

std::unique_ptr<Model> make_gemma(const ModelInput& source, const ModelConfig& config,
                                  const WindowedAttention& attention, std::optional<Parts::QkNorm> qk_norm) {
  const ConfigKeys keys(source.weights->metadata());
  const Parts parts(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(parts, gemma_scales(config, keys), [&](const Parts& layer, int i) -> std::unique_ptr<Block> {
    auto matrices = qk_norm ? layer.attention(*qk_norm) : layer.attention();
    return std::make_unique<GemmaBlock>(layer, std::move(matrices), attention.layer(i), i);
  });
}

}  // namespace

// Gemma 2 (arXiv:2408.00118): every other layer has a window, scores and logits are capped.
std::unique_ptr<Model> make_gemma2(const ModelInput& source) {
  const ConfigKeys keys(source.weights->metadata());
  ModelConfig config = read_model_config(source, RopePairs::halves);
  set_gemma_scale(keys, 46, config);
  if (keys.contains("attn_logit_softcapping")) {
    config.attention.soft_cap = static_cast<float>(keys.require_positive("attn_logit_softcapping"));
  }
  return make_gemma(source, config, read_windowed_attention(source, config, 2), std::nullopt);
}

// Gemma 3 (arXiv:2503.19786): five layers of six have a window and rotary embeddings of their own, never scaled; heads'
// queries and keys are normalized.
std::unique_ptr<Model> make_gemma3(const ModelInput& source) {
  const ConfigKeys keys(source.weights->metadata());
  ModelConfig config = read_model_config(source, RopePairs::halves);
  set_gemma_scale(keys, 62, config);
  const auto attention = read_windowed_attention(source, config, 6, RopePairs::halves, 10'000.0);
  return make_gemma(source, config, attention, Parts::QkNorm::of_heads);
}

}  // namespace emelex
