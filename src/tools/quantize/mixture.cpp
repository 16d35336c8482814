#include "tools/quantize/mixture.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

using enum TensorType;

enum class Role { embedding, output, value, key, query, attention_output, down, other };

// Which of the tensors of a role a rule is for. `i` counts them in the file's order, or is the layer of experts; `n` is
// how many there are.
enum class Where {
  all,
  first_two,
  first_four,
  first_sixteenth,    // i < n / 16
  first_eighth,       // i < n / 8
  first_last_thirds,  // the first and last eighth, and every third between
  shared_heads,       // all, where four or more query heads share a key
};

struct Rule {
  std::string_view mixture;
  Role role;
  Where where;
  TensorType type;
};

// The first that fits counts; without one a tensor gets the mixture's base type.
constexpr Rule kRules[] = {
    {"q2_k", Role::value, Where::shared_heads, q4_k},
    {"q2_k", Role::value, Where::all, q3_k},
    {"q2_k", Role::down, Where::all, q3_k},
    {"q2_k", Role::attention_output, Where::all, q3_k},
    {"q3_k_m", Role::value, Where::first_two, q5_k},
    {"q3_k_m", Role::value, Where::all, q4_k},
    {"q3_k_m", Role::down, Where::first_sixteenth, q5_k},
    {"q3_k_m", Role::down, Where::all, q4_k},
    {"q3_k_m", Role::attention_output, Where::all, q4_k},
    {"q3_k_l", Role::value, Where::all, q5_k},
    {"q3_k_l", Role::down, Where::all, q5_k},
    {"q3_k_l", Role::attention_output, Where::all, q5_k},
    {"q4_k_s", Role::value, Where::first_four, q5_k},
    {"q4_k_s", Role::down, Where::first_eighth, q5_k},
    {"q4_k_m", Role::value, Where::first_last_thirds, q6_k},
    {"q4_k_m", Role::down, Where::first_last_thirds, q6_k},
    {"q5_k_m", Role::value, Where::first_last_thirds, q6_k},
    {"q5_k_m", Role::down, Where::first_last_thirds, q6_k},
    {"iq4_nl", Role::value, Where::shared_heads, q5_k},
    {"iq4_nl", Role::down, Where::first_eighth, q5_k},
    {"iq4_xs", Role::value, Where::shared_heads, q5_k},
    {"iq4_xs", Role::down, Where::first_eighth, q5_k},
    {"tq1_0", Role::embedding, Where::all, q4_k},
    {"tq2_0", Role::embedding, Where::all, q4_k},
};

// Where a model has exactly eight experts, these give attention's output more bits.
constexpr std::string_view kMoreForEightExperts[] = {"q2_k",   "q3_k_s", "q3_k_m", "q4_k_s",
                                                     "q4_k_m", "iq4_nl", "iq4_xs"};

// Parts of the names of matrices that are small, or that a model is too sensitive to.
constexpr std::string_view kKept[] = {"_norm.weight",
                                      "ffn_gate_inp.weight",
                                      "altup",
                                      "laurel",
                                      "per_layer_model_proj",
                                      "ssm_conv1d",
                                      "shortconv.conv.weight",
                                      "indexer.k_proj.weight",
                                      "indexer.q_proj.weight",
                                      "time_mix_first.weight",
                                      "time_mix_w0.weight",
                                      "time_mix_w1.weight",
                                      "time_mix_w2.weight",
                                      "time_mix_v0.weight",
                                      "time_mix_v1.weight",
                                      "time_mix_v2.weight",
                                      "time_mix_a0.weight",
                                      "time_mix_a1.weight",
                                      "time_mix_a2.weight",
                                      "time_mix_g1.weight",
                                      "time_mix_g2.weight",
                                      "time_mix_decay_w1.weight",
                                      "time_mix_decay_w2.weight",
                                      "time_mix_lerp_fused.weight",
                                      "attn_rel_b.weight",
                                      ".position_embd",
                                      ".rel_pos",
                                      ".patch_embd",
                                      ".patch_merger"};
constexpr std::string_view kKeptWhole[] = {"position_embd.weight", "token_types.weight"};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Role role_of(std::string_view name) {
  if (name == "output.weight") return Role::output;
  if (name == "token_embd.weight" || name == "per_layer_token_embd.weight") return Role::embedding;
  for (const char* part : {"attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight"}) {
    if (contains(name, part)) return Role::value;
  }
  if (contains(name, "attn_k.weight")) return Role::key;
  if (contains(name, "attn_q.weight")) return Role::query;
  if (contains(name, "attn_output.weight")) return Role::attention_output;
  return contains(name, "ffn_down") ? Role::down : Role::other;
}

// 3 of "blk.3.attn_q.weight"; -1 of "output.weight".
int layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return -1;
  int layer = -1;
  const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' ? layer : -1;
}

bool is_matrix(const Tensor& tensor) {
  size_t outer = 0;  // dimensions of 1 before the others do not count
  while (outer + 1 < tensor.shape.size() && tensor.shape[outer] == 1) ++outer;
  return tensor.shape.size() - outer >= 2;
}

bool may_be_quantized(const Tensor& tensor) {
  const std::string_view name = tensor.name;
  if (!is_matrix(tensor) || !name.ends_with("weight")) return false;
  const auto in_name = [&](std::string_view part) { return contains(name, part); };
  return std::none_of(std::begin(kKept), std::end(kKept), in_name) &&
         std::find(std::begin(kKeptWhole), std::end(kKeptWhole), name) == std::end(kKeptWhole);
}

// For rows that the blocks of 256 do not divide.
TensorType fallback(const Tensor& tensor, TensorType type) {
  const auto divides = [&](TensorType t) { return tensor.columns() % info(t).block_size == 0; };
  if (divides(type)) return type;
  switch (type) {
    case iq4_xs:
      type = iq4_nl;
      break;
    case q4_k:
      type = q5_0;
      break;
    case q5_k:
      type = q5_1;
      break;
    case q6_k:
      type = q8_0;
      break;
    case q2_k:
    case q3_k:
    case tq1_0:
    case tq2_0:
      type = q4_0;
      break;
    default:
      break;
  }
  return divides(type) ? type : f16;
}

// The first of a number or an array of numbers: some models say it layer by layer.
int64_t first_integer(const Metadata& metadata, const std::string& key, int64_t otherwise) {
  const Metadata::Value* value = metadata.find(key);
  if (value == nullptr) return otherwise;
  if (const auto* array = std::get_if<std::vector<int64_t>>(value)) return array->empty() ? otherwise : array->front();
  if (const auto* array = std::get_if<std::vector<uint64_t>>(value)) {
    return array->empty() ? otherwise : static_cast<int64_t>(array->front());
  }
  return metadata.integer(key).value_or(otherwise);
}

class Planner {
 public:
  Planner(const Mixture& mixture, const Weights& weights) : mixture_(&mixture) {
    const Metadata& metadata = weights.metadata();
    architecture_ = metadata.require_string("general.architecture");
    const auto read = [&](const char* key, int64_t otherwise) {
      return first_integer(metadata, str_cat(architecture_, ".", key), otherwise);
    };
    n_layers_ = read("block_count", 0);
    n_experts_ = read("expert_count", 0);
    const int64_t heads = read("attention.head_count", 0);
    const int64_t kv_heads = read("attention.head_count_kv", heads);
    heads_per_kv_ = kv_heads > 0 ? heads / kv_heads : 0;
    is_70b_ = architecture_ == "llama" && n_layers_ == 80 && heads != kv_heads;
    tied_ = weights.tensors().find("output.weight") == weights.tensors().end();
    for (const auto& [name, tensor] : weights.tensors()) n_values_ += role_of(name) == Role::value ? 1 : 0;
  }

  TensorType type_of(const Tensor& tensor) {
    if (info(mixture_->base).block_size == 1) return mixture_->base;
    return fallback(tensor, choose(tensor));
  }

 private:
  TensorType choose(const Tensor& tensor) {
    const Role role = role_of(tensor.name);
    if (role == Role::output || (tied_ && role == Role::embedding)) return choose_output(tensor);
    if (mixture_->name == "mxfp4_moe") return tensor.shape.size() > 2 ? mxfp4 : q8_0;
    TensorType type = mixture_->base;
    if (role == Role::value) {
      type = by_rules(role, values_++, n_values_);
      if (is_70b_ && (type == q3_k || type == q4_k)) type = q5_k;
      return n_experts_ == 8 ? q8_0 : type;
    }
    if (role == Role::key && n_experts_ == 8) return q8_0;
    if (role == Role::down) return by_rules(role, n_experts_ > 1 ? layer_of(tensor.name) : downs_++, n_layers_);
    if (role == Role::attention_output && n_experts_ == 8) {
      const auto* end = std::end(kMoreForEightExperts);
      return std::find(std::begin(kMoreForEightExperts), end, mixture_->name) == end ? type : q5_k;
    }
    return by_rules(role, 0, 0);
  }

  TensorType choose_output(const Tensor& tensor) const {
    if (mixture_->base == q8_0 || mixture_->base == mxfp4) return q8_0;
    if (tensor.columns() % info(mixture_->base).block_size != 0) return q8_0;
    return q6_k;
  }

  TensorType by_rules(Role role, int64_t i, int64_t n) const {
    for (const Rule& rule : kRules) {
      if (rule.mixture == mixture_->name && rule.role == role && fits(rule.where, i, n)) return rule.type;
    }
    return mixture_->base;
  }

  bool fits(Where where, int64_t i, int64_t n) const {
    switch (where) {
      case Where::all:
        return true;
      case Where::first_two:
        return i < 2;
      case Where::first_four:
        return i < 4;
      case Where::first_sixteenth:
        return i < n / 16;
      case Where::first_eighth:
        return i < n / 8;
      case Where::first_last_thirds:
        return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
      case Where::shared_heads:
        return heads_per_kv_ >= 4;
    }
    return false;
  }

  const Mixture* mixture_;
  std::string architecture_;
  int64_t n_layers_ = 0;
  int64_t n_experts_ = 0;
  int64_t heads_per_kv_ = 0;
  bool is_70b_ = false;
  bool tied_ = false;
  int64_t n_values_ = 0;
  int64_t values_ = 0;  // that have been seen
  int64_t downs_ = 0;
};

}  // namespace

const std::vector<Mixture>& mixtures() {
  static const std::vector<Mixture> all = {
      {"f32", f32, 0, "float32: exact, four bytes a weight"},
      {"f16", f16, 1, "float16"},
      {"bf16", bf16, 32, "bfloat16: what most models are trained in"},
      {"q8_0", q8_0, 7, "8.5 bits: hardly to be told from the original"},
      {"q6_k", q6_k, 18, "6.6 bits"},
      {"q5_k_m", q5_k, 17, "5.7 bits"},
      {"q5_k_s", q5_k, 16, "5.5 bits"},
      {"q5_1", q5_1, 9, "6 bits, older"},
      {"q5_0", q5_0, 8, "5.5 bits, older"},
      {"q4_k_m", q4_k, 15, "4.8 bits: what most people take"},
      {"q4_k_s", q4_k, 14, "4.6 bits"},
      {"q4_1", q4_1, 3, "5 bits, older"},
      {"q4_0", q4_0, 2, "4.5 bits, older"},
      {"iq4_nl", iq4_nl, 25, "4.5 bits, not evenly spaced"},
      {"iq4_xs", iq4_xs, 30, "4.3 bits, not evenly spaced"},
      {"q3_k_l", q3_k, 13, "4.2 bits"},
      {"q3_k_m", q3_k, 12, "3.9 bits"},
      {"q3_k_s", q3_k, 11, "3.5 bits"},
      {"q2_k", q2_k, 10, "3 bits: for want of memory only"},
      {"tq2_0", tq2_0, 37, "2.1 bits, for models trained with ternary weights"},
      {"tq1_0", tq1_0, 36, "1.7 bits, for the same"},
      {"mxfp4_moe", mxfp4, 38, "MXFP4 for experts, Q8_0 for the rest"},
  };
  return all;
}

const Mixture* find_mixture(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Mixture& mixture : mixtures()) {
    if (mixture.name == lower) return &mixture;
  }
  return nullptr;
}

std::vector<PlannedTensor> plan_tensors(const Mixture& mixture, const Weights& weights, bool plain_as_f32) {
  std::vector<PlannedTensor> plan;
  for (const auto& [name, tensor] : weights.tensors()) plan.push_back({&tensor, tensor.type});
  const auto before = [](const PlannedTensor& a, const PlannedTensor& b) {
    return layer_of(a.tensor->name) < layer_of(b.tensor->name);
  };
  std::stable_sort(plan.begin(), plan.end(), before);  // they come by name
  Planner planner(mixture, weights);
  for (PlannedTensor& planned : plan) {
    if (may_be_quantized(*planned.tensor)) {
      planned.type = planner.type_of(*planned.tensor);
    } else if (plain_as_f32 || planned.type == TensorType::mlx) {
      planned.type = f32;
    }
  }
  return plan;
}

}  // namespace emelex
