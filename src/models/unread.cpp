#include "models/unread.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr size_t kMostNames = 4;  // in a message

// The number of the layer that a tensor's name says.
std::optional<int64_t> layer_of(std::string_view name) {
  constexpr std::string_view kBlock = "blk.";
  if (!name.starts_with(kBlock)) return std::nullopt;
  int64_t layer = 0;
  const auto [end, error] = std::from_chars(name.data() + kBlock.size(), name.data() + name.size(), layer);
  const bool whole = error == std::errc() && end != name.data() + name.size() && *end == '.';
  return whole ? std::optional(layer) : std::nullopt;
}

// "blk.3.attn_q.weight" → "attn_q"
std::string_view module_of(std::string_view name) {
  if (layer_of(name)) name.remove_prefix(name.find('.', 4) + 1);
  const size_t dot = name.find('.');
  return name.substr(0, dot);
}

bool is_word_of(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const size_t space = std::min(words.find(' '), words.size());
    if (words.substr(0, space) == word) return true;
    words.remove_prefix(std::min(space + 1, words.size()));
  }
  return false;
}

// What an unread tensor seems to be, for people; empty where nothing is known.
std::string_view kind_of(std::string_view name, int64_t n_layers) {
  if (const auto layer = layer_of(name); layer && *layer >= n_layers) return "a layer past block_count";
  struct Kind {
    std::string_view part;
    std::string_view what;
  };
  static constexpr Kind kKinds[] = {
      {"cls", "the head of a classifier or reranker"},
      {"score.", "the head of a classifier or reranker"},
      {"classifier.", "the head of a classifier or reranker"},
      {"dense_", "the head of an embedding model"},
      {"lora_", "a LoRA adapter that is not merged"},
      {"shexp", "shared experts"},
      {"exp_probs_b", "the bias of a router's choice"},
      {"nextn", "layers that predict several tokens"},
      {".scale", "a scale of a quantized matrix"},
      {"sinks", "attention sinks"},
      {"_norm", "a norm that the architecture does not have"},
      {".qweight", "weights in GPTQ's or AWQ's form"},
  };
  for (const Kind& kind : kKinds) {
    if (name.find(kind.part) != std::string_view::npos) return kind.what;
  }
  return "";
}

std::string text_of(const std::vector<std::string_view>& names, int64_t n_layers) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < kMostNames; ++i) {
    text += str_cat(i == 0 ? "" : ", ", quote_bytes(names[i]));
  }
  if (names.size() > kMostNames) text += str_cat(" and ", names.size() - kMostNames, " more");
  const std::string_view kind = kind_of(names.front(), n_layers);
  return kind.empty() ? text : str_cat(text, " (", kind, ")");
}

[[noreturn]] void fail(const Weights& weights, std::string_view expected, std::string_view got) {
  throw Error(ErrorCode::unsupported,
              str_cat("[models] expected ", expected, ", got ", got, " in ", path_text(weights.path())));
}

}  // namespace

void refuse_unread_tensors(const Weights& weights, const ReadRecord& record) {
  std::vector<std::string_view> unread;
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!record.tensors.contains(name)) unread.push_back(name);
  }
  for (const auto& [name, what] : weights.unreadable()) {
    if (!record.tensors.contains(name)) unread.push_back(name);
  }
  if (unread.empty()) return;
  const std::string architecture = weights.metadata().require_string("general.architecture");
  const int64_t n_layers = weights.metadata().integer(architecture + ".block_count").value_or(0);
  fail(weights, str_cat("only tensors that a model of ", quote_bytes(architecture), " is computed with"),
       text_of(unread, n_layers));
}

void check_biases(const Weights& weights, const BiasRules& rules) {
  constexpr std::string_view kBias = ".bias";
  constexpr std::string_view kWeight = ".weight";
  const std::string architecture = weights.metadata().require_string("general.architecture");
  for (const auto& [name, tensor] : weights.tensors()) {
    const std::string_view module = module_of(name);
    if (name.ends_with(kBias)) {
      if (is_word_of(module, rules.allowed) || is_word_of(module, rules.required)) continue;
      fail(weights, str_cat("no bias of ", quote_bytes(module), " in a model of ", quote_bytes(architecture)),
           quote_bytes(name));
    }
    if (!name.ends_with(kWeight) || !is_word_of(module, rules.required)) continue;
    const std::string bias = name.substr(0, name.size() - kWeight.size()) + std::string(kBias);
    if (weights.find(bias) == nullptr) fail(weights, str_cat("the tensor ", quote_bytes(bias)), "none");
  }
}

}  // namespace emelex
