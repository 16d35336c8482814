#pragma once

#include <cstdint>
#include <string>

#include "weights/weights.h"

namespace emelex {

// What all tensors of a model come to.
struct WeightTotals {
  int64_t parameters = 0;
  int64_t bytes = 0;
  std::string main_type;  // the type that most bytes have, in small letters: "q4_1"; empty without tensors
};

WeightTotals total_weights(const Weights& weights);

}  // namespace emelex
