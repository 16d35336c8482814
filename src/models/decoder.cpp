#include "models/decoder.h"

#include <utility>
#include <vector>

namespace emelex {
namespace {

class Decoder : public Model {
 public:
  Decoder(const LayerBuilder& builder, const DecoderScales& scales, std::vector<std::unique_ptr<Block>> blocks)
      : backend_(&builder.backend()),
        config_(builder.config()),
        scales_(scales),
        embedding_(builder.embedding()),
        blocks_(std::move(blocks)),
        output_(builder.output("output_norm")) {}

  const ModelConfig& config() const override { return config_; }

  std::vector<LayerMemory> memory() const override {
    std::vector<LayerMemory> memory;
    for (const auto& block : blocks_) memory.push_back(block->memory());
    return memory;
  }

  mx::array hidden(const Batch& batch) const override {
    auto x = scaled((*embedding_)(batch), scales_.embedding);  // [tokens, dim]
    for (const auto& block : blocks_) x = (*block)(x, batch);
    return x;
  }

  mx::array logits(const mx::array& hidden, const Batch& batch) const override {
    const auto x = backend_->output_rows(hidden, batch);                  // [outputs, dim]
    const auto logits = scaled((*output_)(x, batch)[0], scales_.logits);  // [outputs, vocab_size]
    return scales_.logit_soft_cap > 0.0F ? backend_->soft_cap(logits, scales_.logit_soft_cap) : logits;
  }

 private:
  mx::array scaled(const mx::array& x, float factor) const { return factor == 1.0F ? x : backend_->scale(x, factor); }

  Backend* backend_;
  ModelConfig config_;
  DecoderScales scales_;
  std::unique_ptr<Embedding> embedding_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::unique_ptr<Linear> output_;
};

}  // namespace

std::unique_ptr<Model> make_decoder(
    const LayerBuilder& builder, const DecoderScales& scales,
    const std::function<std::unique_ptr<Block>(const LayerBuilder& builder, int layer)>& block) {
  std::vector<std::unique_ptr<Block>> blocks;
  for (int i = 0; i < builder.config().n_layers; ++i) blocks.push_back(block(builder.layer(i), i));
  return std::make_unique<Decoder>(builder, scales, std::move(blocks));
}

}  // namespace emelex
