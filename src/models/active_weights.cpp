#include "models/active_weights.h"

#include <variant>

#include "base/strings.h"

namespace emelex {
namespace {

// A number, or the first of a list of one for each layer, which are all the same in a model that is computed.
int64_t one_or_first(const Metadata& metadata, const std::string& key) {
  const Metadata::Value* value = metadata.find(key);
  const bool is_list = value != nullptr && (std::holds_alternative<std::vector<int64_t>>(*value) ||
                                            std::holds_alternative<std::vector<uint64_t>>(*value));
  if (!is_list) return metadata.integer(key).value_or(0);
  const auto list = *metadata.integers(key);
  return list.empty() ? 0 : list.front();
}

}  // namespace

bool is_of_experts(std::string_view name) {
  const size_t at = name.find("ffn_");
  if (at == std::string_view::npos) return false;
  const std::string_view part = name.substr(at);
  const size_t dot = part.find('.');
  const std::string_view matrix = part.substr(0, dot);
  if (matrix.find("_exps") != std::string_view::npos || matrix.ends_with("_pairs")) return true;
  // "ffn_up.7.weight"
  return dot != std::string_view::npos && part.find_first_of("0123456789", dot) == dot + 1;
}

int64_t active_bytes(const Weights& weights) {
  const Metadata& metadata = weights.metadata();
  const std::string architecture = metadata.string("general.architecture").value_or("");
  const int64_t experts = metadata.integer(str_cat(architecture, ".expert_count")).value_or(0);
  const int64_t used = one_or_first(metadata, str_cat(architecture, ".expert_used_count"));
  const bool some = used >= 1 && used <= experts;
  const bool tied = weights.find("output.weight") == nullptr;
  int64_t active = 0;
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!tied && name == "token_embd.weight") continue;
    const auto bytes = static_cast<int64_t>(tensor.bytes());
    active += some && is_of_experts(name) ? bytes / experts * used : bytes;
  }
  return active;
}

}  // namespace emelex
