#include "weights/tiny_safetensors.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "weights/safetensors/safetensors_reader.h"

namespace emelex {
namespace {

std::shared_ptr<const std::vector<std::byte>> copy_of(std::string_view bytes) {
  const auto copy = std::make_shared<std::vector<std::byte>>(bytes.size());
  std::transform(bytes.begin(), bytes.end(), copy->begin(), [](char c) { return static_cast<std::byte>(c); });
  return copy;
}

}  // namespace

std::string raw_safetensors(std::string_view header, std::string_view data) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>((header.size() >> (8 * i)) & 0xFF);
  return out.append(header).append(data);
}

std::string safetensors(const std::vector<TinyTensor>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::string data;
  for (const TinyTensor& tensor : tensors) {
    std::string shape;
    for (const int64_t n : tensor.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
    header += str_cat(",\"", tensor.name, R"(":{"dtype":")", tensor.dtype, R"(","shape":[)", shape,
                      R"(],"data_offsets":[)", data.size(), ",", data.size() + tensor.data.size(), "]}");
    data += tensor.data;
  }
  return raw_safetensors(header + "}", data);
}

std::string f32_data(const std::vector<float>& values) {
  std::string out(values.size() * 4, '\0');
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

std::vector<TinyTensor> tiny_llama_tensors(float first) {
  const auto tensor = [&](const std::string& name, std::vector<int64_t> shape) {
    int64_t n = 1;
    for (const int64_t dimension : shape) n *= dimension;
    std::vector<float> values(static_cast<size_t>(n));
    for (float& x : values) x = first++;
    return TinyTensor{name, "F32", std::move(shape), f32_data(values)};
  };
  return {tensor("model.embed_tokens.weight", {3, 8}),
          tensor("model.layers.0.input_layernorm.weight", {8}),
          tensor("model.layers.0.self_attn.q_proj.weight", {8, 8}),
          tensor("model.layers.0.self_attn.k_proj.weight", {4, 8}),
          tensor("model.layers.0.self_attn.v_proj.weight", {4, 8}),
          tensor("model.layers.0.self_attn.o_proj.weight", {8, 8}),
          tensor("model.layers.0.post_attention_layernorm.weight", {8}),
          tensor("model.layers.0.mlp.gate_proj.weight", {16, 8}),
          tensor("model.layers.0.mlp.up_proj.weight", {16, 8}),
          tensor("model.layers.0.mlp.down_proj.weight", {8, 16}),
          tensor("model.norm.weight", {8}),
          tensor("lm_head.weight", {3, 8})};
}

std::vector<TinyTensor> mlx_module(const std::string& module, int64_t rows, int64_t columns, const MlxFormat& format) {
  uint8_t next = 1;
  const auto tensor = [&](const std::string& suffix, const std::string& dtype, int64_t width, size_t row_bytes) {
    std::string data(static_cast<size_t>(rows) * row_bytes, '\0');
    for (char& byte : data) byte = static_cast<char>(next = static_cast<uint8_t>(next * 37 + 11));
    return TinyTensor{module + suffix, dtype, {rows, width}, data};
  };
  const bool affine = format.mode == MlxMode::affine;
  const std::string dtype(affine ? info(format.scale_type).name : "U8");
  const size_t scale_bytes = mlx_scale_row_bytes(format, columns);
  std::vector<TinyTensor> tensors = {
      tensor(".weight", "U32", columns * format.bits / 32, mlx_row_bytes(format, columns)),
      tensor(".scales", dtype, columns / format.group_size, scale_bytes)};
  if (affine) tensors.push_back(tensor(".biases", dtype, columns / format.group_size, scale_bytes));
  return tensors;
}

std::string tiny_llama_config(std::string_view more) {
  return str_cat(R"({"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "intermediate_size": 16, "vocab_size": 3, "max_position_embeddings": 128)",
                 more, "}");
}

std::vector<SafeTensorsEntry> read_header(std::string_view bytes) {
  return read_safetensors_header(*copy_of(bytes), "tiny.safetensors");
}

std::shared_ptr<const Weights> read_tiny(std::string_view config, std::string_view file) {
  const auto copy = copy_of(file);
  return read_safetensors(config, {{*copy, copy, "tiny/model.safetensors"}}, "tiny");
}

}  // namespace emelex
