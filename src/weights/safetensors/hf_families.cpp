#include "weights/safetensors/hf_families.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"

namespace emelex {
namespace {

constexpr std::string_view kNumber = "{}";

// What stands in `text` for each "{}" of a pattern, which must be numbers; nothing unless it matches.
std::optional<std::vector<std::string_view>> numbers_in(std::string_view pattern, std::string_view text) {
  std::vector<std::string_view> numbers;
  while (true) {
    const size_t at = pattern.find(kNumber);
    const std::string_view before = pattern.substr(0, at);
    if (!text.starts_with(before)) return std::nullopt;
    text.remove_prefix(before.size());
    if (at == std::string_view::npos) return text.empty() ? std::optional(numbers) : std::nullopt;
    pattern.remove_prefix(at + kNumber.size());
    const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    if (end == 0) return std::nullopt;
    numbers.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// The pattern with those numbers.
std::string with_numbers(std::string_view pattern, const std::vector<std::string_view>& numbers) {
  std::string text;
  for (const std::string_view number : numbers) {
    const size_t at = pattern.find(kNumber);
    text += str_cat(pattern.substr(0, at), number);
    pattern.remove_prefix(at + kNumber.size());
  }
  return text + std::string(pattern);
}

// `name` by pattern `from`, as pattern `to` has it; nothing unless it matches. Of a module's tensor the pattern is
// without the suffix: ".weight", ".bias".
std::optional<std::string> renamed(std::string_view name, std::string_view from, std::string_view to, bool module) {
  const size_t dot = module ? name.rfind('.') : name.size();
  if (dot == std::string_view::npos) return std::nullopt;
  const auto numbers = numbers_in(from, name.substr(0, dot));
  return numbers ? std::optional(with_numbers(to, *numbers) + std::string(name.substr(dot))) : std::nullopt;
}

bool is_module(const HfModule& module) { return !module.gguf.ends_with(".weight") && !module.gguf.ends_with(".bias"); }

// Made when the first is added, as the order in which files' static objects are made is not known.
NameTable<HfFamily>& families() {
  static NameTable<HfFamily> families("model_type");
  return families;
}

}  // namespace

RegisterHfFamily::RegisterHfFamily(const HfFamily& family) { families().add(family.model_type, family); }

const NameTable<HfFamily>& hf_families() { return families(); }

const HfFamily* find_hf_family(std::string_view model_type) { return hf_families().find(model_type); }

std::optional<std::string> text_part_name(const HfFamily& family, std::string_view name) {
  if (!family.has_text_part) return std::string(name);
  constexpr std::string_view kPart = "language_model.";
  if (name.starts_with(kPart)) return std::string(name.substr(kPart.size()));
  if (name.starts_with("lm_head.")) return std::string(name);
  // As transformers holds them, which it may write as well.
  constexpr std::string_view kHeld = "model.language_model.";
  if (name.starts_with(kHeld)) return "model." + std::string(name.substr(kHeld.size()));
  return std::nullopt;
}

std::optional<std::string> gguf_tensor_name(const HfFamily& family, std::string_view name) {
  const std::string whole = str_cat("model.", name);
  for (const std::string_view tried : {name, std::string_view(whole)}) {
    for (const HfModule& module : family.modules) {
      if (auto found = renamed(tried, module.huggingface, module.gguf, is_module(module))) return found;
    }
  }
  return std::nullopt;
}

bool is_transposed(const HfFamily& family, std::string_view name) {
  const std::string whole = str_cat("model.", name);
  return std::any_of(family.modules.begin(), family.modules.end(), [&](const HfModule& module) {
    const bool named = renamed(name, module.huggingface, module.gguf, is_module(module)) ||
                       renamed(whole, module.huggingface, module.gguf, is_module(module));
    return module.transposed && named;
  });
}

std::optional<std::string> hf_tensor_name(const HfFamily& family, std::string_view gguf_name) {
  for (const HfModule& module : family.modules) {
    if (auto found = renamed(gguf_name, module.gguf, module.huggingface, is_module(module))) return found;
  }
  return std::nullopt;
}

}  // namespace emelex
