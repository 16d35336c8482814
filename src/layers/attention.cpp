#include "layers/attention.h"

namespace emelex {

mx::array Attention::attend(const mx::array& x, const Batch& batch) const {
  auto qkv = (*parts_.qkv)(x, batch);
  if (parts_.q_norm) qkv[0] = (*parts_.q_norm)(qkv[0], batch);
  if (parts_.k_norm) qkv[1] = (*parts_.k_norm)(qkv[1], batch);
  return (*attend_)(qkv[0], qkv[1], qkv[2], batch);
}

mx::array Attention::operator()(const mx::array& x, const Batch& batch) const {
  return (*parts_.output)(attend(x, batch), batch)[0];
}

mx::array Attention::add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const {
  return parts_.output->add_to(residual, attend(x, batch), batch);
}

}  // namespace emelex
