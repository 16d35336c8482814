#include "weights/safetensors/hf_rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/json_text.h"
#include "base/strings.h"
#include "weights/bounded_json.h"
#include "weights/safetensors/hf_families.h"
#include "weights/safetensors/hf_keys.h"

namespace emelex {
namespace {

// The objects are those of transformers' modeling_rope_utils.py, which reads three forms:
//   flat    rope_parameters, or in older files rope_scaling, which wins where it says something
//   nested  rope_parameters with one object for each type of layer (HfRopeForm::nested); rope_scaling then adds to that
//           of full_attention
//   old     rope_theta, partial_rotary_factor and original_max_position_embeddings at the root
class RopeReader {
 public:
  RopeReader(const ConfigObject& root, HfConfig& config)
      : root_(root), config_(config), keys_(config.metadata, config.family->architecture) {}

  void read(int64_t head_dim);

 private:
  Json flat();
  Json nested(const char* layer_type) const;
  void read_theta_and_size(const ConfigObject& rope, int64_t head_dim);
  void read_sliding();
  void read_scaling(const ConfigObject& rope);
  void read_llama3(const ConfigObject& rope);
  void read_yarn(const ConfigObject& rope);
  void read_longrope(const ConfigObject& rope);
  std::string type_of(const ConfigObject& rope) const;
  std::vector<float> divisors(const ConfigObject& rope, std::string_view key) const;
  double longest_context() const;
  double original_context(const ConfigObject& rope) const;
  bool is_nested() const { return config_.family->rope_form == HfRopeForm::nested; }
  bool is_phi3() const { return config_.family->rope_form == HfRopeForm::phi3; }

  const ConfigObject& root_;
  HfConfig& config_;
  HfKeys keys_;
  int64_t dim_ = 0;  // values of a head that turn
  double base_ = 0;
  std::string_view name_ = "rope_parameters";  // of the object, for messages
};

void RopeReader::read(int64_t head_dim) {
  const Json object = is_nested() ? nested("full_attention") : flat();
  const ConfigObject rope = root_.inner(object, is_nested() ? "rope_parameters.full_attention" : name_);
  read_theta_and_size(rope, head_dim);
  config_.facts.rope_pairs = config_.family->rope_pairs;
  if (is_nested()) read_sliding();
  read_scaling(rope);
}

Json RopeReader::flat() {
  const auto scaling = root_.object("rope_scaling");
  if (scaling && !scaling->json().empty()) {
    name_ = "rope_scaling";
    return scaling->json();
  }
  const auto parameters = root_.object("rope_parameters");
  if (!parameters) {
    const std::string_view otherwise = config_.family->rope_parameters;
    return otherwise.empty() ? Json::object() : valid_json_of(otherwise);
  }
  // Such a form is another family's: transformers finds no type in it.
  for (const char* key : {"full_attention", "sliding_attention"}) {
    if (parameters->contains(key)) parameters->fail(ErrorCode::unsupported, key, "left out", "an object");
  }
  return parameters->json();
}

Json RopeReader::nested(const char* layer_type) const {
  const auto parameters = root_.object("rope_parameters");
  const auto own = parameters ? parameters->object(layer_type) : std::nullopt;
  Json rope = own ? own->json() : Json{{"rope_type", "default"}};
  const auto scaling = root_.object("rope_scaling");
  if (!scaling || std::string_view(layer_type) != "full_attention") return rope;
  if (parameters && !own)
    root_.fail(ErrorCode::unsupported, "rope_scaling", "left out beside rope_parameters", "there");
  rope.update(scaling->json());
  return rope;
}

void RopeReader::read_theta_and_size(const ConfigObject& rope, int64_t head_dim) {
  const HfFamily& family = *config_.family;
  const auto theta = rope.positive("rope_theta");
  base_ = theta ? *theta : root_.positive("rope_theta").value_or(family.rope_base);
  constexpr const char* kRotated = "partial_rotary_factor";
  const auto own = rope.positive(kRotated);
  const auto of_root = root_.find(kRotated) == nullptr ? std::nullopt : root_.positive(kRotated);  // may be null there
  double rotated = own.value_or(of_root.value_or(family.rotated));
  if (rotated > 1.0) {
    root_.fail(ErrorCode::corrupt_file, "partial_rotary_factor", "at most 1", str_cat(rotated));
  }
  if (!family.partial_rope && rotated != 1.0) {
    // Of these families transformers turns all of a head, and fails where the frequencies are scaled.
    if (type_of(rope) != "default") rope.fail(ErrorCode::unsupported, "partial_rotary_factor", "1", str_cat(rotated));
    rotated = 1.0;
  }
  dim_ = static_cast<int64_t>(static_cast<double>(head_dim) * rotated);
  keys_.add("rope.dimension_count", dim_);
  keys_.add("rope.freq_base", base_);
}

// Layers with a window turn by frequencies of their own, which are never scaled.
void RopeReader::read_sliding() {
  const Json object = nested("sliding_attention");
  const ConfigObject rope = root_.inner(object, "rope_parameters.sliding_attention");
  const std::string type = type_of(rope);
  if (type != "default") rope.fail(ErrorCode::unsupported, "rope_type", "default", quote_bytes(type));
  const auto rotated = rope.positive("partial_rotary_factor").value_or(1.0);
  if (rotated != 1.0) rope.fail(ErrorCode::unsupported, "partial_rotary_factor", "1", str_cat(rotated));
  const HfFamily& family = *config_.family;
  const auto local = family.has_local_base_key ? root_.positive("rope_local_base_freq") : std::nullopt;
  keys_.add("rope.freq_base_swa", rope.positive("rope_theta").value_or(local.value_or(family.local_rope_base)));
}

std::string RopeReader::type_of(const ConfigObject& rope) const {
  if (const auto type = rope.string("rope_type")) return *type;
  rope.refuse_null("type");
  return rope.string("type").value_or("default");
}

void RopeReader::read_scaling(const ConfigObject& rope) {
  const std::string type = type_of(rope);
  if (type == "default") return;
  if (is_phi3()) {
    // Early files call it by other names; another type transformers refuses.
    if (type == "longrope" || type == "su" || type == "yarn") return read_longrope(rope);
    rope.fail(ErrorCode::unsupported, "rope_type", "default or longrope", quote_bytes(type));
  }
  if (type == "linear") {
    keys_.add("rope.scaling.type", std::string("linear"));
    keys_.add("rope.scaling.factor", rope.require_positive("factor"));
  } else if (type == "llama3") {
    read_llama3(rope);
  } else if (type == "longrope") {
    read_longrope(rope);
  } else if (type == "yarn") {
    read_yarn(rope);
  } else {
    rope.fail(ErrorCode::unsupported, "rope_type", "default, linear, llama3, yarn or longrope", quote_bytes(type));
  }
}

// Llama 3.1's: waves that are long against the context that it was first trained with are stretched by `factor`, short
// ones kept, those between blended. https://github.com/meta-llama/llama-models/blob/main/models/llama3/model.py
void RopeReader::read_llama3(const ConfigObject& scaling) {
  const double factor = scaling.require_positive("factor");
  const double low = scaling.require_positive("low_freq_factor");
  const double high = scaling.require_positive("high_freq_factor");
  const double context = original_context(scaling);
  if (!(high > low)) scaling.fail(ErrorCode::corrupt_file, "high_freq_factor", str_cat("above ", low), str_cat(high));
  std::vector<float>& divisors = config_.tensors["rope_freqs.weight"];
  for (int64_t i = 0; i < dim_ / 2; ++i) {
    const double frequency = std::pow(base_, -2.0 * static_cast<double>(i) / static_cast<double>(dim_));
    const double waves = context * frequency / (2.0 * std::numbers::pi);  // that fit into the context
    const double kept = std::clamp((waves - low) / (high - low), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1.0 / ((1.0 - kept) / factor + kept)));
  }
}

double RopeReader::longest_context() const {
  return root_.positive("max_position_embeddings").value_or(static_cast<double>(config_.family->context_length));
}

// Of flat objects the root's wins, of nested ones nobody asks for it, and Phi 3's own stands at the root alone.
double RopeReader::original_context(const ConfigObject& rope) const {
  constexpr const char* kKey = "original_max_position_embeddings";
  const auto own = rope.positive(kKey);
  if (is_nested()) return own.value_or(longest_context());
  if (const auto of_root = root_.positive(kKey)) return *of_root;
  if (is_phi3()) return static_cast<double>(config_.family->context_length);
  return own.value_or(longest_context());
}

// 0.1 · scale · ln(factor) + 1, or 1 where nothing is stretched
double yarn_scale(double factor, double scale) { return factor > 1.0 ? 0.1 * scale * std::log(factor) + 1.0 : 1.0; }

// YaRN (Peng et al., arXiv:2309.00071), whose arithmetic is the model's: see models/rope_config.cpp.
void RopeReader::read_yarn(const ConfigObject& rope) {
  // transformers looks for it beside the objects of a nested form, where no file has it.
  const bool truncate = rope.boolean("truncate").value_or(true);
  config_.facts.yarn_whole_bounds = is_nested() || truncate;
  const double context = original_context(rope);
  if (!rope.contains("factor")) (void)rope.require_positive("factor");  // null stands for the contexts' ratio
  const double factor = rope.positive("factor").value_or(longest_context() / context);
  keys_.add("rope.scaling.type", std::string("yarn"));
  keys_.add("rope.scaling.factor", factor);
  keys_.add("rope.scaling.original_context_length", static_cast<int64_t>(context));
  if (const auto fast = rope.number("beta_fast").value_or(0.0); fast != 0.0) {
    keys_.add("rope.scaling.yarn_beta_fast", rope.require_positive("beta_fast"));
  }
  if (const auto slow = rope.number("beta_slow").value_or(0.0); slow != 0.0) {
    keys_.add("rope.scaling.yarn_beta_slow", rope.require_positive("beta_slow"));
  }
  const double mscale = rope.number("mscale").value_or(0.0);
  const double mscale_all = rope.number("mscale_all_dim").value_or(0.0);
  double scale = yarn_scale(factor, 1.0);
  if (mscale != 0.0 && mscale_all != 0.0) scale = yarn_scale(factor, mscale) / yarn_scale(factor, mscale_all);
  scale = rope.positive("attention_factor").value_or(scale);
  // Models multiply YaRN's own scale with what the file says.
  const double more = scale / yarn_scale(factor, 1.0);
  if (more != 1.0) keys_.add("rope.scaling.attn_factor", more);
}

// LongRoPE (Ding et al., arXiv:2402.13753): a divisor for each frequency, one list for contexts as long as the first
// training's and one for longer.
void RopeReader::read_longrope(const ConfigObject& rope) {
  const double context = original_context(rope);
  const double factor = rope.positive("factor").value_or(longest_context() / context);
  const double scale = factor > 1.0 ? std::sqrt(1.0 + std::log(factor) / std::log(context)) : 1.0;
  keys_.add("rope.scaling.type", std::string("longrope"));
  keys_.add("rope.scaling.original_context_length", static_cast<int64_t>(context));
  keys_.add("rope.scaling.attn_factor", rope.positive("attention_factor").value_or(scale));
  config_.tensors["rope_factors_long.weight"] = divisors(rope, "long_factor");
  config_.tensors["rope_factors_short.weight"] = divisors(rope, "short_factor");
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
