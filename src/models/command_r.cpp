#include "models/architectures.h"
#include "models/decoder.h"
#include "models/model_config.h"

namespace emelex {
namespace {

// One LayerNorm, without a bias, before attention and MLP, which are computed side by side.
class CommandRBlock : public Block {
 public:
  CommandRBlock(const Parts& parts, AttentionConfigPtr attention, int layer)
      : norm_(parts.norm("attn_norm")),
        attention_(parts.attention(), std::move(attention), layer),
        mlp_(parts.gated_mlp(Activation::silu)) {}

  mx::array operator()(const mx::array& x, KvStore& cache, const StepPtr& step) const override {
    const auto normed = (*norm_)(x);
    return mlp_->add_to(attention_.add_to(x, normed, cache, step), normed);
  }

 private:
  std::unique_ptr<Norm> norm_;
  Attention attention_;
  std::unique_ptr<Mlp> mlp_;
};

}  // namespace

// Command R (Cohere, 2024): the logits are scaled.
std::unique_ptr<Model> make_command_r(const ModelSource& source) {
  const ModelConfig config = read_model_config(source, RopePairs::neighbours);
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  DecoderScales scales;
  scales.logits = static_cast<float>(ConfigKeys(source.weights->metadata()).require_positive("logit_scale"));
  const Parts parts(source, config, "attention.layer_norm_epsilon");
  return make_decoder(parts, scales, [&](const Parts& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<CommandRBlock>(layer, attention, i);
  });
}

}  // namespace emelex
