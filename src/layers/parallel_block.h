#pragma once

#include <memory>

#include "layers/attention.h"
#include "layers/block.h"
#include "layers/mlp.h"

namespace emelex {

// One norm before attention and MLP, which are computed side by side and added together (Wang and Komatsuzaki, GPT-J,
// 2021).
class ParallelBlock : public Block {
 public:
  // Neither `attention` nor `mlp` normalizes.
  ParallelBlock(std::unique_ptr<Norm> norm, Attention attention, std::unique_ptr<Mlp> mlp)
      : norm_(std::move(norm)), attention_(std::move(attention)), mlp_(std::move(mlp)) {}

  mx::array operator()(const mx::array& x, const Batch& batch) const override {
    const auto normed = (*norm_)(x, batch);
    return mlp_->add_to(attention_.add_to(x, normed, batch), normed, batch);
  }
  LayerMemory memory() const override { return attention_.memory(); }

 private:
  std::unique_ptr<Norm> norm_;
  Attention attention_;
  std::unique_ptr<Mlp> mlp_;
};

}  // namespace emelex
