#pragma once

#include <memory>

#include "layers/attention.h"
#include "layers/block.h"
#include "layers/mlp.h"

namespace emelex {

// The block of Llama (Touvron et al., arXiv:2302.13971) and of most after it: each half begins with a norm.
class PreNormBlock : public Block {
 public:
  // Both normalize their input.
  PreNormBlock(Attention attention, std::unique_ptr<Mlp> mlp)
      : attention_(std::move(attention)), mlp_(std::move(mlp)) {}

  mx::array operator()(const mx::array& x, const Batch& batch) const override {
    const auto y = attention_.add_to(x, x, batch);
    return mlp_->add_to(y, y, batch);
  }
  LayerMemory memory() const override { return attention_.memory(); }

 private:
  Attention attention_;
  std::unique_ptr<Mlp> mlp_;
};

}  // namespace emelex
