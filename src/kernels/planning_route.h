#pragma once

#include <memory>

#include "kernels/route.h"

namespace emelex {

// A back end that makes nothing: models that are built with it say what they need (Model::memory) and can't compute.
// For decisions before anything is allocated.
std::unique_ptr<Route> make_planning_route();

}  // namespace emelex
