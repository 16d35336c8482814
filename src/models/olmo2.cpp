#include "models/family.h"

// OLMo 2 (arXiv:2501.00656): queries and keys are normalized over all heads together. OLMo 3 (arXiv:2512.13961) is one
// of whose layers three of four have a window, and rotary embeddings that are never scaled.
namespace emelex {
namespace {

void read_olmo3_keys(const ConfigObject& root, HfKeys& keys) {
  add_window(root, keys, window_size(root, 4096), sliding_layers(root, [](int64_t i) { return (i + 1) % 4 != 0; }));
}

// An RMSNorm after each half, and none before.
class Olmo2Block : public Block {
 public:
  Olmo2Block(const LayerBuilder& builder, const AttentionConfigPtr& attention, int layer)
      : backend_(&builder.backend()),
        attention_(builder.attention(LayerBuilder::QkNorm::of_all), attention, layer),
        attention_norm_(builder.norm("post_attention_norm")),
        mlp_(builder.gated_mlp(Activation::silu)),
        mlp_norm_(builder.norm("post_ffw_norm")) {}

  mx::array operator()(const mx::array& x, const Batch& batch) const override {
    const auto y = backend_->add(x, (*attention_norm_)(attention_(x, batch), batch));
    return backend_->add(y, (*mlp_norm_)((*mlp_)(y, batch), batch));
  }
  LayerMemory memory() const override { return attention_.memory(); }

 private:
  Backend* backend_;
  Attention attention_;
  std::unique_ptr<Norm> attention_norm_;
  std::unique_ptr<Mlp> mlp_;
  std::unique_ptr<Norm> mlp_norm_;
};

std::unique_ptr<Model> make_olmo2(const ModelInput& source) {
  const ModelConfig config = read_model_config(source);
  const double base = ConfigKeys(*source.weights).positive("rope.freq_base", 10'000.0);
  const auto attention = read_sliding_window_attention(source, config, {.period = 4, .local_rope_base = base});
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<Olmo2Block>(layer, attention.layer(i), i);
  });
}

const RegisterArchitecture olmo2({.name = "olmo2",
                                  .rope_pairs = RopePairs::halves,
                                  .biases = {.allowed = kAttentionBiases},
                                  .needs_output = true,
                                  .make = make_olmo2});

const RegisterHfFamily olmo2_folders(
    {.model_type = "olmo2", .architecture = "olmo2", .modules = sandwich_modules(), .norm_eps = 1e-5});

const RegisterHfFamily olmo3_folders({.model_type = "olmo3",
                                      .architecture = "olmo2",
                                      .modules = sandwich_modules(),
                                      .read_more = read_olmo3_keys,
                                      .norm_eps = 1e-5,
                                      .rope_base = 500'000.0,
                                      .rope_form = HfRopeForm::nested,
                                      .local_rope_base = 500'000.0});

}  // namespace
}  // namespace emelex
