#include "tools/quantize/zero_biases.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emelex {
namespace {

constexpr std::string_view kWeight = ".weight";

using Tensors = std::map<std::string, Tensor, std::less<>>;

// "attn_q" of "blk.0.attn_q.weight"; empty where `name` is nothing of a block that ends so.
std::string_view module_of(std::string_view name, std::string_view end) {
  if (!name.starts_with("blk.") || !name.ends_with(end)) return {};
  name.remove_suffix(end.size());
  return name.substr(name.rfind('.') + 1);
}

Tensor zeros(std::string name, int64_t n) {
  const auto values = std::make_shared<std::vector<float>>(static_cast<size_t>(n));
  return {std::move(name), TensorType::f32, {n}, std::as_bytes(std::span(*values)), values};
}

void add_missing(const Tensors& tensors, const std::vector<std::string_view>& modules, Tensors& added) {
  const auto is_one = [&](std::string_view module) {
    return std::find(modules.begin(), modules.end(), module) != modules.end();
  };
  const bool any = std::any_of(tensors.begin(), tensors.end(),
                               [&](const auto& tensor) { return is_one(module_of(tensor.first, ".bias")); });
  for (const auto& [name, tensor] : tensors) {
    if (!any || !is_one(module_of(name, kWeight))) continue;
    const std::string bias = name.substr(0, name.size() - kWeight.size()) + ".bias";
    if (!tensors.contains(bias)) added.emplace(bias, zeros(bias, tensor.rows()));
  }
}

}  // namespace

std::shared_ptr<const Weights> with_all_biases(std::shared_ptr<const Weights> weights) {
  Tensors tensors;
  add_missing(weights->tensors(), {"attn_q", "attn_k", "attn_v", "attn_output"}, tensors);
  add_missing(weights->tensors(), {"ffn_gate", "ffn_up", "ffn_down"}, tensors);
  if (tensors.empty()) return weights;
  tensors.insert(weights->tensors().begin(), weights->tensors().end());
  return std::make_shared<const Weights>(weights->path(), weights->metadata(), std::move(tensors),
                                         weights->unreadable(), weights->files(), weights->facts());
}

}  // namespace emelex
