#include "models/family.h"

// Granite 3 (Granite Team, IBM, 2024): Llama with scales of its own for embeddings, residuals, scores and logits, after
// Yang et al., arXiv:2203.03466.
namespace emelex {
namespace {

void read_granite_keys(const ConfigObject& root, HfKeys& keys) {
  keys.add("attention.scale", root.positive("attention_multiplier").value_or(1.0));
  keys.add("embedding_scale", root.positive("embedding_multiplier").value_or(1.0));
  keys.add("residual_scale", root.positive("residual_multiplier").value_or(1.0));
  keys.add("logit_scale", root.positive("logits_scaling").value_or(1.0));
}

// Llama's block, with what each half adds scaled.
class GraniteBlock : public Block {
 public:
  GraniteBlock(const LayerBuilder& builder, const AttentionConfigPtr& attention, float residual_scale, int layer)
      : backend_(&builder.backend()),
        residual_scale_(residual_scale),
        attention_(builder.attention("attn_norm"), attention, layer),
        mlp_(builder.gated_mlp(Activation::silu, "ffn_norm")) {}

  mx::array operator()(const mx::array& x, const Batch& batch) const override {
    const auto y = backend_->add(x, backend_->scale(attention_(x, batch), residual_scale_));
    return backend_->add(y, backend_->scale((*mlp_)(y, batch), residual_scale_));
  }
  LayerMemory memory() const override { return attention_.memory(); }

 private:
  Backend* backend_;
  float residual_scale_;
  Attention attention_;
  std::unique_ptr<Mlp> mlp_;
};

std::unique_ptr<Model> make_granite(const ModelInput& source) {
  const ConfigKeys keys(*source.weights);
  ModelConfig config = read_model_config(source);
  if (const auto scale = keys.positive_or_none("attention.scale")) config.attention.scale = static_cast<float>(*scale);
  if (!keys.boolean("rope.scaling.finetuned", true)) config.attention.rope = {};  // llama.cpp's switch for RoPE
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  DecoderScales scales;
  scales.embedding = static_cast<float>(keys.positive("embedding_scale", 1.0));
  scales.logits = static_cast<float>(1.0 / keys.require_positive("logit_scale"));
  const auto residual_scale = static_cast<float>(keys.positive("residual_scale", 1.0));
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, scales, [&](const LayerBuilder& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<GraniteBlock>(layer, attention, residual_scale, i);
  });
}

const RegisterArchitecture granite({.name = "granite",
                                    .rope_pairs = RopePairs::interleaved,
                                    .biases = {.allowed = kBlockBiases},
                                    .rope_tensors = RopeTensors::any,
                                    .make = make_granite});

const RegisterHfFamily granite_folders({.model_type = "granite",
                                        .architecture = "granite",
                                        .modules = llama_modules(),
                                        .biases = {.attention_bias = false, .mlp_bias = false},
                                        .read_more = read_granite_keys});

}  // namespace
}  // namespace emelex
