#include "weights/safetensors/hf_rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/strings.h"
#include "weights/bounded_json.h"
#include "weights/safetensors/hf_families.h"
#include "weights/safetensors/hf_keys.h"

namespace emelex {
namespace {

class RopeReader {
 public:
  RopeReader(const ConfigObject& root, HfConfig& config)
      : root_(root), config_(config), keys_(config.metadata, config.family->architecture) {}

  void read(int64_t head_dim);

 private:
  void read_scaling(const ConfigObject& scaling);
  void read_llama3(const ConfigObject& scaling);
  void read_yarn(const ConfigObject& scaling);
  void read_longrope(const ConfigObject& scaling);
  std::vector<float> divisors(const ConfigObject& scaling, std::string_view key) const;
  double original_context(const ConfigObject& scaling) const;

  const ConfigObject& root_;
  HfConfig& config_;
  HfKeys keys_;
  int64_t dim_ = 0;  // values of a head that turn
  double base_ = 0;
};

// Older files have rope_theta and rope_scaling, newer ones both in rope_parameters, which may hold one object for each
// type of layer.
void RopeReader::read(int64_t head_dim) {
  const auto parameters = root_.object("rope_parameters");
  const auto full = parameters ? parameters->object("full_attention") : std::nullopt;
  const auto sliding = parameters ? parameters->object("sliding_attention") : std::nullopt;
  const auto scaling = full ? full : parameters ? parameters : root_.object("rope_scaling");
  base_ = root_.positive("rope_theta").value_or(config_.family->rope_base);
  double rotated = root_.positive("partial_rotary_factor").value_or(config_.family->rotated);
  if (scaling) {
    base_ = scaling->positive("rope_theta").value_or(base_);
    rotated = scaling->positive("partial_rotary_factor").value_or(rotated);
  }
  if (rotated > 1.0) {
    root_.fail(ErrorCode::corrupt_file, "partial_rotary_factor", "at most 1", str_cat(rotated));
  }
  dim_ = static_cast<int64_t>(static_cast<double>(head_dim) * rotated);
  keys_.add("rope.dimension_count", dim_);
  keys_.add("rope.freq_base", base_);
  auto local = root_.positive("rope_local_base_freq");
  if (sliding) local = sliding->positive("rope_theta");
  if (local) keys_.add("rope.freq_base_swa", *local);
  config_.metadata.add("emelex.rope.interleaved", config_.family->rope_pairs == RopePairs::neighbours);
  if (scaling) read_scaling(*scaling);
}

void RopeReader::read_scaling(const ConfigObject& scaling) {
  const std::string type = scaling.string("rope_type").value_or(scaling.string("type").value_or("default"));
  if (type == "default") return;
  if (type == "linear") {
    keys_.add("rope.scaling.type", std::string("linear"));
    keys_.add("rope.scaling.factor", scaling.require_positive("factor"));
  } else if (type == "llama3") {
    read_llama3(scaling);
  } else if (type == "longrope" || (scaling.contains("long_factor") && (type == "su" || type == "yarn"))) {
    read_longrope(scaling);  // early files of Phi 3 call it by the other names
  } else if (type == "yarn") {
    read_yarn(scaling);
  } else {
    scaling.fail(ErrorCode::unsupported, "rope_type", "default, linear, llama3, yarn or longrope", quote_bytes(type));
  }
}

// Llama 3.1's: waves that are long against the context that it was first trained with are stretched by `factor`, short
// ones kept, those between blended. https://github.com/meta-llama/llama-models/blob/main/models/llama3/model.py
void RopeReader::read_llama3(const ConfigObject& scaling) {
  const double factor = scaling.require_positive("factor");
  const double low = scaling.require_positive("low_freq_factor");
  const double high = scaling.require_positive("high_freq_factor");
  const double context = scaling.require_positive("original_max_position_embeddings");
  if (!(high > low)) scaling.fail(ErrorCode::corrupt_file, "high_freq_factor", str_cat("above ", low), str_cat(high));
  std::vector<float>& divisors = config_.tensors["rope_freqs.weight"];
  for (int64_t i = 0; i < dim_ / 2; ++i) {
    const double frequency = std::pow(base_, -2.0 * static_cast<double>(i) / static_cast<double>(dim_));
    const double waves = context * frequency / (2.0 * std::numbers::pi);  // that fit into the context
    const double kept = std::clamp((waves - low) / (high - low), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1.0 / ((1.0 - kept) / factor + kept)));
  }
}

double RopeReader::original_context(const ConfigObject& scaling) const {
  constexpr const char* kKey = "original_max_position_embeddings";
  if (const auto own = root_.positive(kKey)) return *own;
  if (const auto own = scaling.positive(kKey)) return *own;
  return root_.positive("max_position_embeddings").value_or(static_cast<double>(config_.family->context_length));
}

// YaRN (Peng et al., arXiv:2309.00071), whose arithmetic is the model's: see models/rope_config.cpp.
void RopeReader::read_yarn(const ConfigObject& scaling) {
  for (const char* key : {"mscale", "mscale_all_dim"}) {
    if (scaling.contains(key)) scaling.fail(ErrorCode::unsupported, key, "left out", "a number");
  }
  config_.metadata.add("emelex.rope.whole_bounds", scaling.boolean("truncate").value_or(true));
  const double context = original_context(scaling);
  keys_.add("rope.scaling.type", std::string("yarn"));
  keys_.add("rope.scaling.factor", scaling.require_positive("factor"));
  keys_.add("rope.scaling.original_context_length", static_cast<int64_t>(context));
  if (const auto fast = scaling.positive("beta_fast")) keys_.add("rope.scaling.yarn_beta_fast", *fast);
  if (const auto slow = scaling.positive("beta_slow")) keys_.add("rope.scaling.yarn_beta_slow", *slow);
  if (const auto scale = scaling.positive("attention_factor")) keys_.add("rope.scaling.yarn_attn_factor", *scale);
}

// LongRoPE (Ding et al., arXiv:2402.13753): a divisor for each frequency, one list for contexts as long as the first
// training's and one for longer.
void RopeReader::read_longrope(const ConfigObject& scaling) {
  const double context = original_context(scaling);
  const double longest =
      root_.positive("max_position_embeddings").value_or(static_cast<double>(config_.family->context_length));
  const double factor = scaling.positive("factor").value_or(longest / context);
  const double scale = factor > 1.0 ? std::sqrt(1.0 + std::log(factor) / std::log(context)) : 1.0;
  keys_.add("rope.scaling.original_context_length", static_cast<int64_t>(context));
  keys_.add("rope.scaling.attn_factor", scaling.positive("attention_factor").value_or(scale));
  config_.tensors["rope_factors_long.weight"] = divisors(scaling, "long_factor");
  config_.tensors["rope_factors_short.weight"] = divisors(scaling, "short_factor");
}

std::vector<float> RopeReader::divisors(const ConfigObject& scaling, std::string_view key) const {
  const Json* list = scaling.find(key);
  const std::string expected = str_cat("a list of ", dim_ / 2, " positive numbers");
  if (list == nullptr) scaling.fail(ErrorCode::corrupt_file, key, expected, "nothing");
  if (!list->is_array() || static_cast<int64_t>(list->size()) != dim_ / 2) scaling.fail(key, expected, *list);
  std::vector<float> values;
  for (const Json& value : *list) {
    if (!value.is_number() || !(value.get<float>() > 0)) scaling.fail(key, expected, value);
    values.push_back(value.get<float>());
  }
  return values;
}

}  // namespace

void read_hf_rope(const ConfigObject& root, int64_t head_dim, HfConfig& config) {
  RopeReader(root, config).read(head_dim);
}

}  // namespace emelex
