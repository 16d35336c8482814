#include "models/architectures.h"
#include "models/decoder.h"
#include "models/model_config.h"

namespace emelex {
namespace {

// One LayerNorm before attention and MLP, which are computed side by side.
class Phi2Block : public Block {
 public:
  Phi2Block(const Parts& parts, AttentionConfigPtr attention, int layer)
      : norm_(parts.norm("attn_norm")),
        attention_(parts.attention(), std::move(attention), layer),
        mlp_(parts.gelu_mlp()) {}

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

// Phi 1, 1.5 and 2 (Gunasekar et al., arXiv:2306.11644; Li et al., arXiv:2309.05463): biases everywhere, RoPE on a part
// of each head, an MLP of GELU.
std::unique_ptr<Model> make_phi2(const ModelSource& source) {
  const ModelConfig config = read_model_config(source, RopePairs::halves);
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  const Parts parts(source, config, "attention.layer_norm_epsilon");
  return make_decoder(parts, {}, [&](const Parts& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<Phi2Block>(layer, attention, i);
  });
}

}  // namespace emelex
