#include "models/rope_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/strings.h"
#include "models/architecture.h"

namespace emelex {
namespace {

constexpr const char* kBaseKey = "rope.freq_base";
constexpr const char* kFactorKey = "rope.scaling.factor";
constexpr const char* kScaleKey = "rope.scaling.attn_factor";
constexpr const char* kDivisorsKey = "rope_freqs.weight";  // Llama 3.1 and later
constexpr const char* kShortKey = "rope_factors_short.weight";
constexpr const char* kLongKey = "rope_factors_long.weight";
constexpr const char* kContextKey = "rope.scaling.original_context_length";

class RopeReader {
 public:
  RopeReader(const Weights& weights, int head_dim)
      : weights_(weights),
        keys_(weights),
        architecture_(find_architecture(weights.metadata())),
        dim_(rotated(head_dim)) {
    rope_.interleaved = rope_pairs(weights) == RopePairs::interleaved;
    rope_.dim = dim_;
  }

  const ConfigKeys& keys() const { return keys_; }

  Rope plain(double base) {
    for (int i = 0; i < dim_ / 2; ++i) add(frequency(base, i));
    return std::move(rope_);
  }

  // A file that names no type of scaling but has a factor means linear scaling, as llama.cpp reads it.
  Rope scaled(int context) {
    const double base = keys_.positive(kBaseKey, 10'000.0);
    const std::string scaling = keys_.string("rope.scaling.type", "linear");
    if (scaling == "yarn") return yarn(base);
    if (scaling != "none" && scaling != "linear" && scaling != "longrope") {
      keys_.fail(ErrorCode::unsupported, str_cat(keys_.name("rope.scaling.type"), " none, linear, yarn or longrope"),
                 quote_bytes(scaling));
    }
    const double said = factor();
    const double factor = scaling == "none" ? 1.0 : said;
    rope_.scale = static_cast<float>(attention_factor());
    if (!may_have_factors(scaling) || weights_.find(kLongKey) == nullptr) {
      const bool has_divisors = may_have_divisors(scaling) && weights_.find(kDivisorsKey) != nullptr;
      rope_.inv_freq = divided(base, factor, has_divisors ? kDivisorsKey : nullptr);
      return std::move(rope_);
    }
    rope_.inv_freq = divided(base, factor, kShortKey);
    const int first_training = keys_.size(kContextKey, keys_.require_size("context_length", kMaxContext), kMaxContext);
    if (context > first_training) {
      rope_.long_after = first_training;
      rope_.long_inv_freq = divided(base, factor, kLongKey);
    }
    return std::move(rope_);
  }

 private:
  int rotated(int head_dim) const {
    const std::string key = keys_.name("rope.dimension_count");
    keys_.contains("rope.dimension_count");
    const int64_t dim = weights_.metadata().integer(key).value_or(head_dim);
    if (dim < 0 || dim > head_dim || dim % 2 != 0) {
      keys_.fail(ErrorCode::corrupt_file, str_cat(key, " to be even and at most the head size ", head_dim),
                 str_cat(dim));
    }
    if (dim != head_dim && !architecture_.partial_rope && !weights_.facts().from_config) {
      keys_.fail(ErrorCode::unsupported,
                 str_cat(key, " to be the head size ", head_dim, ", as of all models of its architecture"),
                 str_cat(dim));
    }
    return static_cast<int>(dim);
  }

  // A tensor that may not be there stays unread, and the file is refused with its name.
  bool may_have_factors(std::string_view scaling) const {
    return weights_.facts().from_config || architecture_.rope_tensors == RopeTensors::factors ||
           (architecture_.rope_tensors == RopeTensors::any && scaling == "longrope");
  }
  bool may_have_divisors(std::string_view scaling) const {
    return weights_.facts().from_config || (architecture_.rope_tensors == RopeTensors::any && scaling != "longrope");
  }

  // What positions are divided by; 0 says nothing, and old files have it under another name.
  double factor() const {
    const auto said = keys_.positive_or_none(keys_.contains(kFactorKey) ? kFactorKey : "rope.scale_linear");
    return said.value_or(1.0);
  }

  // What queries and keys are multiplied by. A window's layers have none of their own, so it is refused where llama.cpp
  // would scale them, too.
  double attention_factor() const {
    const double scale = keys_.positive(kScaleKey, 1.0);
    if (scale != 1.0 && architecture_.one_rope_scale && !weights_.facts().from_config) {
      keys_.fail(ErrorCode::unsupported, str_cat(keys_.name(kScaleKey), " to be 1"), str_cat(scale));
    }
    return scale;
  }

  double frequency(double base, int i) const { return std::pow(base, -2.0 * i / dim_); }
  void add(double frequency) { rope_.inv_freq.push_back(static_cast<float>(frequency)); }

  // The frequencies divided by `factor` and by the tensor of that name, if it has one.
  std::vector<float> divided(double base, double factor, const char* name) const {
    std::vector<float> divisors(static_cast<size_t>(dim_ / 2), 1.0F);
    if (name != nullptr) divisors = read_divisors(name);
    for (int i = 0; i < dim_ / 2; ++i) {
      float& value = divisors[static_cast<size_t>(i)];
      value = static_cast<float>(frequency(base, i) / (factor * static_cast<double>(value)));
    }
    return divisors;
  }

  std::vector<float> read_divisors(const char* name) const {
    const Tensor& tensor = weights_.require(name, {dim_ / 2});
    if (tensor.type != TensorType::f32) {
      keys_.fail(ErrorCode::corrupt_file, str_cat(name, " as F32"), tensor.type_name());
    }
    std::vector<float> divisors(static_cast<size_t>(dim_ / 2));
    tensor.read_rows(0, divisors);
    for (const float divisor : divisors) {
      if (divisor > 0.0F && std::isfinite(divisor)) continue;
      keys_.fail(ErrorCode::corrupt_file, str_cat(name, " to hold numbers above 0"), str_cat(divisor));
    }
    return divisors;
  }

  // Frequencies that turn often within the first training's context stay, those that turn seldom are divided by the
  // factor, and those between are blended, in the order of their numbers.
  Rope yarn(double base) {
    if (base <= 1.0) keys_.fail(ErrorCode::corrupt_file, str_cat(keys_.name(kBaseKey), " above 1"), str_cat(base));
    const double factor = this->factor();
    const double context = keys_.size(kContextKey, keys_.require_size("context_length", kMaxContext), kMaxContext);
    const auto number_of = [&](double turns) {  // the number of the frequency that turns so often
      return dim_ * std::log(context / (turns * 2.0 * std::numbers::pi)) / (2.0 * std::log(base));
    };
    double low = number_of(keys_.positive("rope.scaling.yarn_beta_fast", 32.0));
    double high = number_of(keys_.positive("rope.scaling.yarn_beta_slow", 1.0));
    if (weights_.facts().yarn_whole_bounds) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, dim_ - 1.0);
    if (low == high) high += 0.001;
    for (int i = 0; i < dim_ / 2; ++i) {
      const double divided = std::clamp((i - low) / (high - low), 0.0, 1.0);
      add(frequency(base, i) * (divided / factor + 1.0 - divided));
    }
    const double scale = factor > 1.0 ? 0.1 * std::log(factor) + 1.0 : 1.0;
    rope_.scale = static_cast<float>(keys_.positive("rope.scaling.yarn_attn_factor", scale) * attention_factor());
    return std::move(rope_);
  }

  const Weights& weights_;
  ConfigKeys keys_;
  const Architecture& architecture_;
  int dim_;
  Rope rope_;
};

}  // namespace

void check_rope_fits_gguf(const Weights& weights) {
  const Architecture& architecture = find_architecture(weights.metadata());
  const auto fail = [&](std::string_view needed) {
    throw Error(
        ErrorCode::unsupported,
        str_cat("[", architecture.name,
                "] expected rotary frequencies that a GGUF file of this architecture can say, got some that need ",
                needed, " in ", path_text(weights.path())));
  };
  const std::string scale = str_cat(architecture.name, ".", kScaleKey);
  if (architecture.one_rope_scale && weights.metadata().contains(scale)) {
    fail(str_cat("the key ", quote_bytes(scale), " for layers without a window alone"));
  }
  const RopeTensors known = architecture.rope_tensors;
  for (const std::string_view name : {kDivisorsKey, kLongKey}) {
    const bool has_name = known == RopeTensors::any || (known == RopeTensors::factors && name == kLongKey);
    if (has_name || !weights.tensors().contains(name)) continue;
    fail(str_cat("the tensor ", quote_bytes(name)));
  }
}

Rope read_rope(const Weights& weights, int head_dim, int context) {
  return RopeReader(weights, head_dim).scaled(context);
}

Rope read_local_rope(const Weights& weights, int head_dim, const char* base_key, double base) {
  RopeReader reader(weights, head_dim);
  return reader.plain(reader.keys().positive(base_key, base));
}

}  // namespace emelex
