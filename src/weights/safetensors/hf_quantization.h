#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "quant/mlx_quants.h"
#include "weights/safetensors/config_object.h"

namespace emelex {

// Which matrices of a folder are quantized as MLX does it, and how, by config.json. The scales' type is the tensors'
// business.
struct HfQuantization {
  // Of every module that has scales and is not named below; nothing where the folder is not MLX's.
  std::optional<MlxFormat> format;
  // "model.layers.0.mlp.down_proj" → its own format, or nothing for one that stays plain.
  std::map<std::string, std::optional<MlxFormat>, std::less<>> modules;
  // Of a folder that is not MLX's: whether it may have tensors in MXFP4 as transformers has them (mxfp4_blocks.h).
  bool mxfp4_blocks = false;
};

// From "quantization", which mlx-lm writes, or its copy "quantization_config". A module's entry of its own takes what
// it does not say from MLX's defaults, as mlx-lm does, and not from what holds for all. Throws Error naming the key and
// the file: corrupt_file for what can't be meant, unsupported for other tools' quantization and for formats that MLX
// does not have.
HfQuantization read_hf_quantization(const ConfigObject& config);

}  // namespace emelex
