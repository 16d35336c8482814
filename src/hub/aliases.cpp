#include "hub/aliases.h"

namespace emelex {

// Instruction-tuned models of architectures that emelex runs, each in the smallest form that keeps most of its quality.
const std::vector<Alias>& aliases() {
  static const std::vector<Alias> table = {
      {"llama3.1:8b", "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "Q4_K_M"},
      {"llama3.2:1b", "bartowski/Llama-3.2-1B-Instruct-GGUF", "Q4_K_M"},
      {"llama3.2:3b", "bartowski/Llama-3.2-3B-Instruct-GGUF", "Q4_K_M"},
      {"llama3.3:70b", "bartowski/Llama-3.3-70B-Instruct-GGUF", "Q4_K_M"},
      {"mistral:7b", "bartowski/Mistral-7B-Instruct-v0.3-GGUF", "Q4_K_M"},
      {"smollm2:1.7b", "bartowski/SmolLM2-1.7B-Instruct-GGUF", "Q4_K_M"},
      {"smollm2:135m", "bartowski/SmolLM2-135M-Instruct-GGUF", "Q8_0"},
      {"smollm2:360m", "bartowski/SmolLM2-360M-Instruct-GGUF", "Q8_0"},
  };
  return table;
}

std::vector<std::string> alias_names() {
  std::vector<std::string> names;
  for (const Alias& alias : aliases()) names.emplace_back(alias.name);
  return names;
}

const Alias* find_alias(std::string_view name) {
  for (const Alias& alias : aliases()) {
    if (alias.name == name) return &alias;
  }
  return nullptr;
}

}  // namespace emelex
