#pragma once

#include "base/json_document.h"
#include "emelex/engine.h"

namespace emelex::cli {

// A loaded model and what computes it, as `bench` and `eval` print them in JSON.
JsonDocument model_json(const ModelInfo& model);

}  // namespace emelex::cli
