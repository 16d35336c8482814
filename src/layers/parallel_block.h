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
  ParallelBlock(std::unique_ptr<Norm> norm, Attention attention, std::unique_ptr<Mlp> mlp)
      : norm_(std::move(norm)), attention_(std::move(attention)), mlp_(std::move(mlp)) {}

  mx::array operator()(const mx::array& x, KvStore& cache, const StepPtr& step) const override {
    const auto normed = (*norm_)(x);
    return mlp_->add_to(attention_.add_to(x, normed, cache, step), normed);
  }
  int window() const override { return attention_.window(); }

 private:
  std::unique_ptr<Norm> norm_;
  Attention attention_;
  std::unique_ptr<Mlp> mlp_;
};

}  // namespace emelex
