#include "cli/model_json.h"

namespace emelex::cli {

JsonDocument model_json(const ModelInfo& model) {
  return {{"name", model.name},
          {"architecture", model.architecture},
          {"quantization", model.quantization},
          {"parameters", model.parameters},
          {"weight_bytes", model.weight_bytes},
          {"device", model.device},
          {"instruction_set", model.instruction_set},
          {"kernels", model.kernels},
          {"threads", model.threads}};
}

}  // namespace emelex::cli
