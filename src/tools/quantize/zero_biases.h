#pragma once

#include <memory>

#include "weights/weights.h"

namespace emelex {

// The same model, with zeros for each bias of attention or of an MLP that is missing while others of its kind are
// there. A GGUF file may have some of them alone; in a folder of SafeTensors the configuration says that all are there
// or none.
std::shared_ptr<const Weights> with_all_biases(std::shared_ptr<const Weights> weights);

}  // namespace emelex
