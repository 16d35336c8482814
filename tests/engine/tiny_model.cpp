#include "engine/tiny_model.h"

#include <random>
#include <utility>

#include "text/tiny_vocabulary.h"
#include "weights/gguf/gguf_writer.h"

namespace emelex::test {
namespace {

struct Sizes {
  int64_t vocab;
  int64_t dim;
  int64_t hidden;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t layers;
  int64_t experts = 0;
};

GgufWriter begin_file(const Sizes& sizes, const TinyModel& model) {
  GgufWriter file;
  file.add("general.architecture", "llama");
  file.add("general.name", "Tiny");
  const auto number = [&](const char* key, int64_t value) { file.add(key, static_cast<uint32_t>(value)); };
  number("llama.block_count", sizes.layers);
  number("llama.embedding_length", sizes.dim);
  number("llama.feed_forward_length", sizes.hidden);
  number("llama.context_length", model.context);
  number("llama.attention.head_count", sizes.heads);
  number("llama.attention.head_count_kv", sizes.kv_heads);
  number("llama.attention.key_length", sizes.head_dim);
  number("llama.attention.value_length", sizes.head_dim);
  number("llama.rope.dimension_count", sizes.head_dim);
  file.add("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  if (model.window > 0) number("llama.attention.sliding_window", model.window);
  if (sizes.experts > 0) {
    number("llama.expert_count", sizes.experts);
    number("llama.expert_used_count", 2);
  }
  if (model.longrope_after > 0) {
    file.add("llama.rope.scaling.type", "longrope");
    number("llama.rope.scaling.original_context_length", model.longrope_after);
    const std::vector<float> shorter = {1.0F, 1.0F, 1.0F, 1.0F, 1.5F, 1.5F, 2.0F, 2.0F};
    const std::vector<float> longer = {1.0F, 2.0F, 3.0F, 4.0F, 6.0F, 8.0F, 12.0F, 16.0F};
    file.add_tensor("rope_factors_short.weight", TensorType::f32, {8}, shorter);
    file.add_tensor("rope_factors_long.weight", TensorType::f32, {8}, longer);
  }
  const Metadata vocabulary = TinyVocabulary().metadata();
  for (const auto& [key, value] : vocabulary.values()) file.add_value(key, value);
  if (!model.chat_template.empty()) file.add("tokenizer.chat_template", model.chat_template);
  return file;
}

// All of a Llama's tensors; `values` gives those of the tensor with that name and size.
template <class Values>
void add_tensors(GgufWriter& file, const Sizes& s, const Values& values) {
  const auto add = [&](const std::string& name, const std::vector<int64_t>& shape) {
    size_t n = 1;
    for (const int64_t d : shape) n *= static_cast<size_t>(d);
    file.add_tensor(name, TensorType::f32, shape, values(name, n));
  };
  add("token_embd.weight", {s.vocab, s.dim});
  for (int64_t i = 0; i < s.layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    add(block + "attn_norm.weight", {s.dim});
    add(block + "attn_q.weight", {s.heads * s.head_dim, s.dim});
    add(block + "attn_k.weight", {s.kv_heads * s.head_dim, s.dim});
    add(block + "attn_v.weight", {s.kv_heads * s.head_dim, s.dim});
    add(block + "attn_output.weight", {s.dim, s.heads * s.head_dim});
    add(block + "ffn_norm.weight", {s.dim});
    if (s.experts > 0) {
      add(block + "ffn_gate_inp.weight", {s.experts, s.dim});
      add(block + "ffn_gate_exps.weight", {s.experts, s.hidden, s.dim});
      add(block + "ffn_up_exps.weight", {s.experts, s.hidden, s.dim});
      add(block + "ffn_down_exps.weight", {s.experts, s.dim, s.hidden});
      continue;
    }
    add(block + "ffn_gate.weight", {s.hidden, s.dim});
    add(block + "ffn_up.weight", {s.hidden, s.dim});
    add(block + "ffn_down.weight", {s.dim, s.hidden});
  }
  add("output_norm.weight", {s.dim});
  add("output.weight", {s.vocab, s.dim});
}

int64_t vocabulary_size(const TinyModel& model) {
  return static_cast<int64_t>(TinyVocabulary().tokens.size()) + model.extra_rows;
}

}  // namespace

const char* const kTinyTemplate =
    "{% for m in messages %}<|im_start|>{{ m['role'] }}: {{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>bot: {% endif %}";

void write_random_model(const std::filesystem::path& path, const TinyModel& model) {
  const Sizes sizes{vocabulary_size(model), 32, 64, 4, 2, 16, 2, model.experts};
  GgufWriter file = begin_file(sizes, model);
  std::mt19937 random(model.seed);
  // Wide enough for clear preferences; the norms' weights are around 1.
  std::normal_distribution<float> normal(0.0F, 0.5F);
  add_tensors(file, sizes, [&](const std::string& name, size_t n) {
    const bool norm = name.find("norm") != std::string::npos;
    std::vector<float> values(n);
    for (float& x : values) x = norm ? 1.0F + 0.1F * normal(random) : normal(random);
    return values;
  });
  for (int64_t i = 0; model.biases && i < sizes.layers; ++i) {
    for (const auto& [name, heads] : {std::pair{"attn_q.bias", sizes.heads}, {"attn_k.bias", sizes.kv_heads}}) {
      std::vector<float> values(static_cast<size_t>(heads * sizes.head_dim));
      for (float& x : values) x = normal(random);
      file.add_tensor("blk." + std::to_string(i) + "." + name, TensorType::f32, {heads * sizes.head_dim}, values);
    }
  }
  file.write(path);
}

void write_scripted_model(const std::filesystem::path& path, const Script& script, const TinyModel& model) {
  // A dimension for each token: the embedding is one of them, attention and MLP add nothing, and the output's row of a
  // token has the tokens that it comes after.
  const Sizes sizes{vocabulary_size(model), 320, 32, 1, 1, 16, 1};
  const auto dim = static_cast<size_t>(sizes.dim);
  GgufWriter file = begin_file(sizes, model);
  add_tensors(file, sizes, [&](const std::string& name, size_t n) {
    std::vector<float> values(n, name.find("norm") != std::string::npos ? 1.0F : 0.0F);
    for (size_t token = 0; token < static_cast<size_t>(sizes.vocab); ++token) {
      const auto found = script.find(static_cast<TokenId>(token));
      const int next = found == script.end() ? TinyVocabulary::kEnd : found->second;
      if (name == "token_embd.weight") values[token * dim + token] = 1.0F;
      if (name == "output.weight") values[static_cast<size_t>(next) * dim + token] = 1000.0F;
    }
    return values;
  });
  file.write(path);
}

Script say(TokenId start, std::string_view text) {
  Script script;
  for (const char c : text) {
    const TokenId next = static_cast<unsigned char>(c);
    script[start] = next;
    start = next;
  }
  return script;
}

}  // namespace emelex::test
