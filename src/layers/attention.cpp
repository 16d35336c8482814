#include "layers/attention.h"

namespace emelex {

mx::array Attention::attend(const mx::array& x, KvStore& cache, const StepPtr& step) const {
  auto qkv = (*parts_.qkv)(x);
  if (parts_.q_norm) qkv[0] = (*parts_.q_norm)(qkv[0]);
  if (parts_.k_norm) qkv[1] = (*parts_.k_norm)(qkv[1]);
  return cache.attend(config_, layer_, qkv[0], qkv[1], qkv[2], parts_.sinks, step);
}

mx::array Attention::operator()(const mx::array& x, KvStore& cache, const StepPtr& step) const {
  return (*parts_.output)(attend(x, cache, step))[0];
}

mx::array Attention::add_to(const mx::array& residual, const mx::array& x, KvStore& cache, const StepPtr& step) const {
  return parts_.output->add_to(residual, attend(x, cache, step));
}

}  // namespace emelex
