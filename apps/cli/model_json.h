#pragma once

#include <nlohmann/json_fwd.hpp>

#include "emelex/engine.h"

namespace emelex::cli {

// A loaded model and what computes it, as `bench` and `eval` print them in JSON.
nlohmann::ordered_json model_json(const ModelInfo& model);

}  // namespace emelex::cli
