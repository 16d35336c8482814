#include "weights/safetensors/foreign_tensors.h"

#include <algorithm>
#include <iterator>

#include "base/strings.h"

namespace emelex {
namespace {

constexpr std::string_view kGetAnother = "get the plain model, one for MLX, or a GGUF file";
constexpr std::string_view kMerge = "merge it into its model first";

struct Kind {
  std::string_view part;  // of a name
  std::string_view what;
  std::string_view advice;
};

constexpr Kind kKinds[] = {
    {".qweight", "weights quantized by AWQ or GPTQ", kGetAnother},
    {".qzeros", "weights quantized by AWQ or GPTQ", kGetAnother},
    {".g_idx", "weights quantized by GPTQ", kGetAnother},
    {".weight_packed", "weights quantized by compressed-tensors", kGetAnother},
    {".weight_scale", "weights in FP8, NVFP4 or of compressed-tensors", kGetAnother},
    {".weight_shape", "weights quantized by compressed-tensors", kGetAnother},
    {".input_scale", "weights in FP8 or NVFP4", kGetAnother},
    {".absmax", "weights quantized by bitsandbytes", kGetAnother},
    {".quant_state", "weights quantized by bitsandbytes", kGetAnother},
    {".quant_map", "weights quantized by bitsandbytes", kGetAnother},
    {".SCB", "weights quantized by bitsandbytes", kGetAnother},
    {".W_q", "weights quantized by HQQ", kGetAnother},
    {".lora_", "a LoRA adapter that is not merged", kMerge},
    {".base_layer.", "a LoRA adapter that is not merged", kMerge},
    {".linear.weight", "a LoRA adapter that is not merged", kMerge},
    {"base_model.model.", "names of PEFT's", kMerge},
    {"_orig_mod.", "names of a compiled model", "save it without torch.compile"},
    {"module.", "names of a model for several devices", "save the model inside of it"},
    {"transformer.", "names of another family or an older program", "convert it with transformers"},
    {"tok_embeddings.", "names of Mistral's or Meta's own format", "get the folder that transformers reads"},
    {"layers.0.attention.w", "names of Mistral's or Meta's own format", "get the folder that transformers reads"},
    {"score.", "the head of a classifier or reranker, which does not write text", "get a model that does"},
    {"classifier.", "the head of a classifier, which does not write text", "get a model that does"},
};

}  // namespace

bool is_without_effect(std::string_view name) {
  constexpr std::string_view kEnds[] = {".rotary_emb.inv_freq",
                                        ".attn.masked_bias",
                                        ".attn.bias",
                                        ".attention.masked_bias",
                                        ".attention.bias",
                                        ".self_attn.masked_bias",
                                        ".self_attn.bias",
                                        ".embeddings.position_ids",
                                        ".k_scale",
                                        ".v_scale",
                                        ".rotary_emb.cos_cached",
                                        ".rotary_emb.sin_cached"};
  return name == "rotary_emb.inv_freq" ||
         std::any_of(std::begin(kEnds), std::end(kEnds), [&](std::string_view end) { return name.ends_with(end); });
}

bool is_gguf_name(std::string_view name) {
  return name.starts_with("blk.") || name.starts_with("token_embd.") || name.starts_with("output_norm.") ||
         name.starts_with("output.") || name.starts_with("rope_f");
}

std::optional<std::string> foreign_kind(std::string_view name) {
  if (is_gguf_name(name)) return "names of a GGUF file (convert it with another program)";
  for (const Kind& kind : kKinds) {
    const bool found =
        kind.part.front() == '.' ? name.find(kind.part) != std::string_view::npos : name.starts_with(kind.part);
    if (found) return str_cat(kind.what, " (", kind.advice, ")");
  }
  return std::nullopt;
}

}  // namespace emelex
