#pragma once

#include <memory>

#include "weights/weights.h"

namespace emelex {

// Throws Error(unsupported) with the names of tensors that emelex can't read, and so could not write.
void check_readable(const Weights& weights);

// Throws unless what is about to be written in another format is all of the model: as check_readable does, and what
// making the model throws, which is an Error for a tensor that is missing or that the model is not computed with.
void check_whole(const std::shared_ptr<const Weights>& weights);

}  // namespace emelex
