#include "models/tiny_llama.h"

#include <cmath>
#include <random>

#include "base/temporary_folder.h"
#include "weights/gguf/gguf_writer.h"

namespace emelex::test {
namespace {

bool is_norm(const std::string& name) { return name.find("norm") != std::string::npos; }

}  // namespace

std::map<std::string, std::vector<int64_t>> TinyLlama::shapes() const {
  std::map<std::string, std::vector<int64_t>> shapes;
  shapes["token_embd.weight"] = {vocab_size, dim};
  shapes["output_norm.weight"] = {dim};
  if (!tied) shapes["output.weight"] = {vocab_size, dim};
  if (rope_factors) shapes["rope_freqs.weight"] = {rope_dim / 2};
  for (int i = 0; i < n_layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    shapes[block + "attn_norm.weight"] = {dim};
    shapes[block + "attn_q.weight"] = {n_heads * head_dim, dim};
    shapes[block + "attn_k.weight"] = {n_kv_heads * head_dim, dim};
    shapes[block + "attn_v.weight"] = {n_kv_heads * head_dim, dim};
    shapes[block + "attn_output.weight"] = {dim, n_heads * head_dim};
    shapes[block + "ffn_norm.weight"] = {dim};
    if (n_experts > 0) {
      shapes[block + "ffn_gate_inp.weight"] = {n_experts, dim};
      shapes[block + "ffn_gate_exps.weight"] = {n_experts, hidden_dim, dim};
      shapes[block + "ffn_up_exps.weight"] = {n_experts, hidden_dim, dim};
      shapes[block + "ffn_down_exps.weight"] = {n_experts, dim, hidden_dim};
    } else {
      shapes[block + "ffn_gate.weight"] = {hidden_dim, dim};
      shapes[block + "ffn_up.weight"] = {hidden_dim, dim};
      shapes[block + "ffn_down.weight"] = {dim, hidden_dim};
    }
  }
  return shapes;
}

std::map<std::string, std::vector<float>> TinyLlama::tensors() const {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::map<std::string, std::vector<float>> tensors;
  for (const auto& [name, shape] : shapes()) {
    size_t n = 1;
    for (const int64_t size : shape) n *= static_cast<size_t>(size);
    auto& values = tensors[name];
    // Spread so that activations neither vanish nor explode.
    const float spread = 1.5F / std::sqrt(static_cast<float>(shape.back()));
    for (size_t i = 0; i < n; ++i) {
      const float x = normal(random);
      if (name == "rope_freqs.weight")
        values.push_back(1.0F + static_cast<float>(i % 4));
      else
        values.push_back(is_norm(name) ? 1.0F + 0.1F * x : spread * x);
    }
    for (const auto& [part, factor] : factors) {
      if (name.find(part) == std::string::npos) continue;
      for (float& value : values) value *= factor;
    }
  }
  return tensors;
}

void TinyLlama::write(const std::filesystem::path& path, const std::string& without) const {
  GgufWriter file;
  file.add("general.architecture", "llama");
  const auto number = [&](const char* key, int value) { file.add(key, static_cast<uint32_t>(value)); };
  number("llama.block_count", n_layers);
  number("llama.embedding_length", dim);
  number("llama.feed_forward_length", hidden_dim);
  number("llama.context_length", context);
  number("llama.attention.head_count", n_heads);
  number("llama.attention.head_count_kv", n_kv_heads);
  number("llama.attention.key_length", head_dim);
  number("llama.attention.value_length", head_dim);
  number("llama.rope.dimension_count", rope_dim);
  if (n_experts > 0) {
    number("llama.expert_count", n_experts);
    number("llama.expert_used_count", 2);
  }
  file.add("llama.rope.freq_base", rope_base);
  file.add("llama.attention.layer_norm_rms_epsilon", norm_eps);
  const auto values = tensors();
  for (const auto& [name, shape] : shapes()) {
    if (name == without) continue;
    const bool matrix = shape.size() >= 2 && name.find("ffn_gate_inp") == std::string::npos;
    file.add_tensor(name, matrix ? type : TensorType::f32, shape, values.at(name));
  }
  file.write(path);
}

std::shared_ptr<const Weights> TinyLlama::open() const {
  const TemporaryFolder folder;
  write(folder.path() / "tiny.gguf");
  auto weights = open_weights(folder.path() / "tiny.gguf");
  if (!mlx) return weights;
  auto stored = weights->tensors();
  for (const auto& [name, values] : tensors()) {
    Tensor& tensor = stored.at(name);
    if (tensor.shape.size() == 2) tensor = quantized_by_mlx(name, tensor.shape, values, *mlx);
  }
  return std::make_shared<const Weights>(weights->path(), weights->metadata(), std::move(stored));
}

}  // namespace emelex::test
