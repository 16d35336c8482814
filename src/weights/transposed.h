#pragma once

#include "weights/weights.h"

namespace emelex {

// Plain numbers with their last two dimensions exchanged, in memory of their own: [.., n, m] → [.., m, n].
Tensor transposed(const Tensor& tensor);

}  // namespace emelex
