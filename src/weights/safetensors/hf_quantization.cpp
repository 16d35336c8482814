#include "weights/safetensors/hf_quantization.h"

#include "base/strings.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

constexpr int64_t kMostSize = 1 << 20;  // of bits and groups: what fits an int; is_mlx_format knows better

constexpr std::string_view kFormats =
    "a format of MLX (affine with 2, 3, 4, 5, 6 or 8 bits in groups of 32, 64 or 128; mxfp4 or mxfp8 in groups of 32; "
    "nvfp4 in groups of 16)";

MlxFormat read_format(const ConfigObject& object, const ConfigObject& parent, std::string_view key) {
  const std::string name = object.string("mode").value_or("affine");
  const std::optional<MlxMode> mode = mlx_mode_named(name);
  if (!mode) object.fail(ErrorCode::unsupported, "mode", "affine, mxfp4, mxfp8 or nvfp4", quote_bytes(name));
  MlxFormat format = default_mlx_format(*mode);
  format.bits = static_cast<int>(object.integer("bits", 1, kMostSize).value_or(format.bits));
  format.group_size = static_cast<int>(object.integer("group_size", 1, kMostSize).value_or(format.group_size));
  if (!is_mlx_format(format)) {
    parent.fail(ErrorCode::unsupported, key, kFormats,
                str_cat(name, " with ", format.bits, " bits in groups of ", format.group_size));
  }
  return format;
}

}  // namespace

HfQuantization read_hf_quantization(const ConfigObject& config) {
  const char* key = "quantization";
  auto all = config.object(key);
  if (!all) {
    key = "quantization_config";
    all = config.object(key);
    if (!all) return {};
    // Other tools' configurations name the tool.
    if (all->find("quant_method") != nullptr) {
      const std::string method = all->string("quant_method").value_or("");
      HfQuantization result;
      result.mxfp4_blocks = method == "mxfp4";
      if (result.mxfp4_blocks) return result;
      config.fail(ErrorCode::unsupported, "quantization_config.quant_method",
                  "mxfp4, or nothing (plain or MLX-quantized weights)", quote_bytes(method));
    }
  }
  HfQuantization result;
  result.format = read_format(*all, config, key);
  for (const auto& [name, value] : all->json().items()) {
    // Objects of other names tell how the weights were made, which is nobody's business here.
    const bool is_module = name.find('.') != std::string::npos || name == "lm_head";
    if (value.is_object() && is_module) {
      result.modules.emplace(name, read_format(*all->object(name), *all, name));
    } else if (value.is_boolean()) {
      result.modules.emplace(name, value.get<bool>() ? result.format : std::nullopt);
    }  // else bits and the like
  }
  return result;
}

}  // namespace emelex
