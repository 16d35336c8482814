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
constexpr const char* kDivisorsKey = "rope_freqs.weight";  // Llama 3.1 and later
constexpr const char* kShortKey = "rope_factors_short.weight";
constexpr const char* kLongKey = "rope_factors_long.weight";
constexpr const char* kContextKey = "rope.scaling.original_context_length";

class RopeReader {
 public:
  RopeReader(const Weights& weights, int head_dim) : weights_(weights), keys_(weights), dim_(rotated(head_dim)) {
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
    rope_.scale = static_cast<float>(keys_.positive("rope.scaling.attn_factor", 1.0));
    if (weights_.find(kLongKey) == nullptr) {
      rope_.inv_freq = divided(base, factor, weights_.find(kDivisorsKey) == nullptr ? nullptr : kDivisorsKey);
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
    if (dim >= 0 && dim <= head_dim && dim % 2 == 0) return static_cast<int>(dim);
    keys_.fail(ErrorCode::corrupt_file, str_cat(key, " to be even and at most the head size ", head_dim), str_cat(dim));
  }

  // What positions are divided by; 0 says nothing, and old files have it under another name.
  double factor() const {
    const auto said = keys_.positive_or_none(keys_.contains(kFactorKey) ? kFactorKey : "rope.scale_linear");
    return said.value_or(1.0);
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
    rope_.scale = static_cast<float>(keys_.positive("rope.scaling.yarn_attn_factor", scale) *
                                     keys_.positive("rope.scaling.attn_factor", 1.0));
    return std::move(rope_);
  }

  const Weights& weights_;
  ConfigKeys keys_;
  int dim_;
  Rope rope_;
};

}  // namespace

Rope read_rope(const Weights& weights, int head_dim, int context) {
  return RopeReader(weights, head_dim).scaled(context);
}

Rope read_local_rope(const Weights& weights, int head_dim, const char* base_key, double base) {
  RopeReader reader(weights, head_dim);
  return reader.plain(reader.keys().positive(base_key, base));
}

}  // namespace emelex
