#include <string>
#include <vector>

#include "base/strings.h"
#include "fuzz/seeds.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

using std::string_literals::operator""s;

// A module of 8 rows of 64 numbers in words of `bits` each, as MLX quantizes it.
std::vector<TinyTensor> mlx_tensors(int64_t bits, int64_t group, const std::string& scale_type, int64_t scale_bytes) {
  const int64_t groups = 64 / group;
  const auto bytes = [](int64_t n) { return std::string(static_cast<size_t>(n), '\x31'); };
  std::vector<TinyTensor> tensors = {
      {"model.embed_tokens.weight", "U32", {3, 2 * bits}, bytes(3 * 8 * bits)},
      {"model.embed_tokens.scales", scale_type, {3, groups}, bytes(3 * groups * scale_bytes)}};
  if (scale_bytes > 1) {
    tensors.push_back({"model.embed_tokens.biases", scale_type, {3, groups}, bytes(3 * groups * scale_bytes)});
  }
  return tensors;
}

std::string config(std::string_view more) {
  return tiny_llama_config(str_cat(R"(, "tie_word_embeddings": true)", more));
}

std::string folder(std::string_view config, const std::vector<TinyTensor>& tensors) {
  return std::string(config) + '\0' + safetensors(tensors);
}

constexpr std::string_view kLlama3 =
    R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
       "original_max_position_embeddings": 64}, "rope_theta": 5e5)";
constexpr std::string_view kAffine =
    R"(, "quantization": {"group_size": 32, "bits": 4, "lm_head": false, "model.norm": {"bits": 8, "group_size": 64}})";

}  // namespace

Seeds safetensors_seeds() {
  const auto one = [](std::string_view entry, size_t data) {
    return raw_safetensors(str_cat("{\"t\":{", entry, "}}"), std::string(data, 'x'));
  };
  return {
      {"llama", safetensors(tiny_llama_tensors())},
      {"mlx", safetensors(mlx_tensors(4, 32, "F16", 2))},
      {"empty", raw_safetensors("{}", "")},
      {"scalar", one(R"("dtype":"F32","shape":[],"data_offsets":[0,4])", 4)},
      {"nothing", one(R"("dtype":"BF16","shape":[0,7],"data_offsets":[0,0])", 0)},
      {"four-bits", one(R"("dtype":"F4","shape":[4],"data_offsets":[0,2])", 2)},
      {"unknown-dtype", one(R"("dtype":"F3","shape":[3],"data_offsets":[0,5])", 5)},
      {"wrapping-shape", one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])", 4)},
      {"huge-offsets",
       one(R"("dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615])", 1)},
      {"negative", one(R"("dtype":"U8","shape":[-1],"data_offsets":[-1,0])", 1)},
      {"deep", raw_safetensors(R"({"t":{"shape":[[[[[[[]]]]]]]}})", "")},
      {"key-twice", raw_safetensors(R"({"a":{"dtype":"U8"},"a":1})", "")},
      {"metadata", raw_safetensors(R"({"__metadata__":{"format":"pt","a":"\u00e4\ud83d\ude00"}})", "")},
      {"long-header", "\xff\xff\xff\xff\xff\xff\xff\xff{}"s},
      {"no-header", std::string(8, '\0')},
  };
}

Seeds safetensors_index_seeds() {
  return {
      {"two-files", R"({"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors",)"
                    R"("b":"model-00002-of-00002.safetensors"}})"},
      {"no-map", R"({"metadata":{}})"},
      {"outside", R"({"weight_map":{"a":"../x.safetensors"}})"},
      {"hidden", R"({"weight_map":{"a":".x.safetensors"}})"},
      {"drive", R"({"weight_map":{"a":"C:\\x.safetensors"}})"},
      {"zero-byte", R"({"weight_map":{"a":"x\u0000.safetensors"}})"},
      {"number", R"({"weight_map":{"a":1}})"},
      {"twice", R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})"},
      {"deep", std::string(100, '[')},
      {"escapes", R"({"weight_map":{"\ud83d\ude00\n\/\"":"\u0078.safetensors"}})"},
      {"invalid-utf8", "{\"weight_map\":{\"\xff\xfe\":\"x.safetensors\"}}"},
  };
}

Seeds hf_config_seeds() {
  return {
      {"llama", tiny_llama_config()},
      {"llama3", config(kLlama3)},
      {"linear", config(R"(, "rope_scaling": {"type": "linear", "factor": 2.5})")},
      {"parameters", config(R"(, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6})")},
      {"mistral", R"({"model_type":"mistral","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,)"
                  R"("intermediate_size":16,"vocab_size":3,"sliding_window":null,"head_dim":64})"},
      {"ends", config(R"(, "eos_token_id": [1, 2], "bos_token_id": 0)")},
      {"affine", config(kAffine)},
      {"mxfp4", config(R"(, "quantization_config": {"mode": "mxfp4", "group_size": 32, "bits": 4})")},
      {"gptq", config(R"(, "quantization_config": {"quant_method": "gptq", "bits": 4})")},
      {"bias", config(R"(, "attention_bias": true)")},
      {"huge", R"({"model_type":"llama","hidden_size":1e999,"num_attention_heads":18446744073709551616})"},
      {"deep", std::string(100, '[')},
      {"wrong-types", R"({"model_type":["llama"],"hidden_size":"8","tie_word_embeddings":1,"rope_scaling":7})"},
  };
}

Seeds safetensors_folder_seeds() {
  return {
      {"llama", folder(tiny_llama_config(), tiny_llama_tensors())},
      {"llama3", folder(config(kLlama3), tiny_llama_tensors())},
      {"affine", folder(config(kAffine), mlx_tensors(4, 32, "BF16", 2))},
      {"affine-3", folder(config(R"(, "quantization": {"group_size": 64, "bits": 3})"), mlx_tensors(3, 64, "F32", 4))},
      {"mxfp4", folder(config(R"(, "quantization": {"mode": "mxfp4"})"), mlx_tensors(4, 32, "U8", 1))},
      {"mxfp8", folder(config(R"(, "quantization": {"mode": "mxfp8"})"), mlx_tensors(8, 32, "U8", 1))},
      {"nvfp4", folder(config(R"(, "quantization": {"mode": "nvfp4"})"), mlx_tensors(4, 16, "U8", 1))},
      {"quantized-and-not-said", folder(config(""), mlx_tensors(4, 32, "F16", 2))},
      {"said-and-not-quantized", folder(config(kAffine), tiny_llama_tensors())},
      {"empty", folder(config(""), {})},
      {"config-alone", config("")},
      {"unknown-dtype", folder(config(""), {{"model.norm.weight", "F3", {1}, "x"}, {"a", "I32", {}, "xxxx"}})},
  };
}

}  // namespace emelex
