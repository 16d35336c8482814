#pragma once

#include <memory>

#include "kernels/backend.h"

namespace emelex {

// A backend that makes nothing: models that are built with it say what they need (Model::memory) and can't compute.
// For decisions before anything is allocated.
std::unique_ptr<Backend> make_planning_backend();

}  // namespace emelex
