#include "tools/quantize/mlx_modules.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <numeric>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr std::string_view kBothExperts = ".ffn_gate_up_exps.";     // all gates of an expert, then all ups
constexpr std::string_view kPairedExperts = ".ffn_gate_up_pairs.";  // in turn

// config.json has the rule of these.
bool is_made_of_config(std::string_view name) {
  return name == "rope_freqs.weight" || name == "rope_factors_long.weight" || name == "rope_factors_short.weight";
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// A tensor of one expert: "blk.0.ffn_up.7.weight" is number 7 of "blk.0.ffn_up_exps.weight".
struct Expert {
  std::string stack;
  int64_t number;
};

std::optional<Expert> expert_of(std::string_view name) {
  for (const std::string_view matrix : {".ffn_gate.", ".ffn_up.", ".ffn_down."}) {
    const size_t at = name.find(matrix);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = name.substr(at + matrix.size());
    int64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const std::string_view suffix = rest.substr(static_cast<size_t>(end - rest.data()));
    if (error != std::errc() || number < 0 || !suffix.starts_with('.')) return std::nullopt;
    return Expert{str_cat(name.substr(0, at + matrix.size() - 1), "_exps", suffix), number};
  }
  return std::nullopt;
}

bool are_experts_in_mxfp4(const MlxModule& module) {
  return module.shape.size() == 3 && std::all_of(module.parts.begin(), module.parts.end(), [](const RowRange& part) {
           const auto& mlx = part.source.tensor().mlx;
           return mlx != nullptr && mlx->format.mode == MlxMode::mxfp4;
         });
}

std::string renamed(std::string name, std::string_view from, std::string_view to) {
  return name.replace(name.find(from), from.size(), to);
}

}  // namespace

int64_t MlxModule::rows() const {
  return std::accumulate(shape.begin(), shape.end() - 1, int64_t{1}, std::multiplies<>());
}

MlxModules::MlxModules(const Weights& weights, const HfFamily& family, const MlxFormat& format)
    : weights_(weights), family_(family), format_(format), orders_(weights, family.rope_pairs) {
  std::map<std::string, std::map<int64_t, const Tensor*>> stacks;
  for (const auto& [name, tensor] : weights.tensors()) {
    if (is_made_of_config(name)) continue;
    if (const auto expert = expert_of(name)) {
      stacks[expert->stack].emplace(expert->number, &tensor);
    } else if (contains(name, kBothExperts)) {
      add_gate_and_up(tensor, RowOrder::same);
    } else if (contains(name, kPairedExperts)) {
      add_gate_and_up(tensor, RowOrder::pairs_to_halves);
    } else {
      add_whole(tensor);
    }
  }
  for (const auto& [name, experts] : stacks) add_stack(name, experts);
}

void MlxModules::add_whole(const Tensor& tensor) {
  const RowSource source = orders_.source(tensor);
  add(tensor.name, tensor.shape, {{source, 0, source.rows()}});
}

// Experts' matrices [experts, 2 · rows, columns], or their biases [experts, 2 · rows].
void MlxModules::add_gate_and_up(const Tensor& both, RowOrder order) {
  const bool biases = both.name.ends_with(".bias");
  if (both.shape.size() != (biases ? 2U : 3U) || both.shape[1] % 2 != 0) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[quantize] expected ", quote_bytes(both.name), " to have gates and ups of each expert, got ",
                        shape_text(both.shape), " in ", weights_.metadata().source()));
  }
  const Tensor* tensor = &both;
  if (biases) {
    tensor = &columns_.emplace_back(both);
    columns_.back().shape.push_back(1);
  }
  const int64_t rows_of_both = both.shape[1];
  std::vector<int64_t> shape = both.shape;
  shape[1] = rows_of_both / 2;
  for (const int64_t half : {0, 1}) {
    std::vector<RowRange> parts;
    for (int64_t i = 0; i < shape[0]; ++i) {
      const RowSource source = order == RowOrder::same ? RowSource(*tensor) : RowSource(*tensor, order, rows_of_both);
      parts.push_back({source, i * rows_of_both + half * shape[1], shape[1]});
    }
    const std::string_view from = contains(both.name, kBothExperts) ? kBothExperts : kPairedExperts;
    add(renamed(both.name, from, half == 0 ? ".ffn_gate_exps." : ".ffn_up_exps."), shape, std::move(parts));
  }
}

void MlxModules::add_stack(const std::string& name, const std::map<int64_t, const Tensor*>& experts) {
  const std::string key = str_cat(family_.architecture, ".expert_count");
  const int64_t n = weights_.metadata().integer(key).value_or(0);
  const Tensor& first = *experts.begin()->second;
  std::vector<RowRange> parts;
  for (const auto& [number, tensor] : experts) {
    if (number != static_cast<int64_t>(parts.size()) || tensor->shape != first.shape) break;
    const RowSource source(*tensor);
    parts.push_back({source, 0, source.rows()});
  }
  if (static_cast<int64_t>(parts.size()) != n || parts.size() != experts.size()) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[quantize] expected ", n, " experts (", key, ") of one shape, numbered from 0, for ",
                        quote_bytes(name), ", got ", parts.size(), " of ", experts.size(), " in ",
                        weights_.metadata().source()));
  }
  std::vector<int64_t> shape = {n};
  shape.insert(shape.end(), first.shape.begin(), first.shape.end());
  add(name, std::move(shape), std::move(parts));
}

void MlxModules::add(const std::string& gguf_name, std::vector<int64_t> shape, std::vector<RowRange> parts) {
  const auto hf_name = hf_tensor_name(family_, gguf_name);
  if (!hf_name) {
    throw Error(ErrorCode::unsupported, str_cat("[quantize] expected tensors that ", family_.model_type,
                                                " has in Hugging Face's files, got ", quote_bytes(gguf_name)));
  }
  MlxModule module{str_cat(family_.has_text_part ? "language_model." : "", *hf_name), std::move(shape),
                   std::move(parts)};
  module.kept = are_experts_in_mxfp4(module);
  module.format = module.kept ? module.tensor().mlx->format : format_of(module, gguf_name);
  module.less_one =
      family_.norm == HfNorm::rms_less_one && module.shape.size() == 1 && gguf_name.ends_with("norm.weight");
  modules_.push_back(std::move(module));
}

std::optional<MlxFormat> MlxModules::format_of(const MlxModule& module, std::string_view gguf_name) const {
  if (!gguf_name.ends_with(".weight") || module.shape.size() < 2) return std::nullopt;
  MlxFormat format = format_;
  if (contains(gguf_name, ".ffn_gate_inp.")) {
    format.bits = 8;
    if (module.columns() % 64 == 0) format.group_size = 64;
  }
  return module.columns() % format.group_size == 0 ? std::optional(format) : std::nullopt;
}

}  // namespace emelex
