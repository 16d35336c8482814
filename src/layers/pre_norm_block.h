#pragma once

#include <memory>

#include "layers/attention.h"
#include "layers/block.h"
#include "layers/mlp.h"

namespace emelex {

// The block of Llama (Touvron et al., arXiv:2302.13971) and of most after it: a norm before each half.
class PreNormBlock : public Block {
 public:
  PreNormBlock(std::unique_ptr<Norm> attention_norm, Attention attention, std::unique_ptr<Norm> mlp_norm,
               std::unique_ptr<Mlp> mlp)
      : attention_norm_(std::move(attention_norm)),
        attention_(std::move(attention)),
        mlp_norm_(std::move(mlp_norm)),
        mlp_(std::move(mlp)) {}

  mx::array operator()(const mx::array& x, KvStore& cache, const StepPtr& step) const override {
    const auto y = attention_.add_to(x, (*attention_norm_)(x), cache, step);
    return mlp_->add_to(y, (*mlp_norm_)(y));
  }
  int window() const override { return attention_.window(); }

 private:
  std::unique_ptr<Norm> attention_norm_;
  Attention attention_;
  std::unique_ptr<Norm> mlp_norm_;
  std::unique_ptr<Mlp> mlp_;
};

}  // namespace emelex
