#include "weights/safetensors/config_object.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/json_text.h"
#include "base/strings.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

// Keys of which a null says that there is nothing, or that another key or the sizes say it.
constexpr std::string_view kMayBeNull[] = {
    "attention_factor",
    "attn_logit_softcapping",
    "beta_fast",
    "beta_slow",
    "bits",
    "bos_token_id",
    "eos_token_id",
    "factor",
    "final_logit_softcapping",
    "group_size",
    "head_dim",
    "is_causal",
    "mode",
    "mscale",
    "mscale_all_dim",
    "num_key_value_heads",
    "quant_method",
    "sliding_window",
    "type",
    "use_bidirectional_attention",
    "use_qk_norm",
};

}  // namespace

void ConfigObject::note(std::string_view key) const {
  if (record_ != nullptr) record_->insert(str_cat(prefix_, key));
}

bool ConfigObject::contains(std::string_view key) const {
  note(key);
  return object_->contains(key);
}

const Json* ConfigObject::find(std::string_view key) const {
  note(key);
  const auto at = object_->find(key);
  return at == object_->end() || at->is_null() ? nullptr : &*at;
}

void ConfigObject::refuse_null(std::string_view key) const {
  if (contains(key) && object_->find(key)->is_null()) fail(ErrorCode::unsupported, key, "a value", "null");
}

// find(), for a value that has a type in transformers' classes.
const Json* ConfigObject::find_value(std::string_view key) const {
  if (std::find(std::begin(kMayBeNull), std::end(kMayBeNull), key) == std::end(kMayBeNull)) refuse_null(key);
  return find(key);
}

std::optional<int64_t> ConfigObject::integer(std::string_view key, int64_t least, int64_t most) const {
  const Json* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_float()) {  // "4096.0"
    const double number = value->get<double>();
    if (number == std::floor(number) && number >= static_cast<double>(least) && number <= static_cast<double>(most)) {
      return static_cast<int64_t>(number);
    }
  }
  if (!value->is_number_integer() || (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX) ||
      value->get<int64_t>() < least || value->get<int64_t>() > most) {
    fail(key, str_cat("an integer from ", least, " to ", most), *value);
  }
  return value->get<int64_t>();
}

std::optional<double> ConfigObject::positive(std::string_view key) const {
  const Json* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number() || !(value->get<double>() > 0)) fail(key, "a positive number", *value);
  return value->get<double>();
}

std::optional<double> ConfigObject::number(std::string_view key) const {
  const Json* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) fail(key, "a number", *value);
  return value->get<double>();
}

std::optional<bool> ConfigObject::boolean(std::string_view key) const {
  const Json* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail(key, "true or false", *value);
  return value->get<bool>();
}

std::optional<std::string> ConfigObject::string(std::string_view key) const {
  const Json* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) fail(key, "a string", *value);
  return value->get<std::string>();
}

std::optional<ConfigObject> ConfigObject::object(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) fail(key, "an object", *value);
  return ConfigObject(*value, str_cat(prefix_, key, "."), source_, record_);
}

ConfigObject ConfigObject::inner(const Json& object, std::string_view name) const {
  return {object, str_cat(prefix_, name, "."), source_, record_};
}

std::optional<std::vector<bool>> ConfigObject::layer_flags(std::string_view key, int64_t n) const {
  const Json* list = find(key);
  if (list == nullptr) return std::nullopt;
  if (!list->is_array() || static_cast<int64_t>(list->size()) < n) fail(key, "a list with one for each layer", *list);
  std::vector<bool> flags;
  for (int64_t i = 0; i < n; ++i) flags.push_back(list->at(static_cast<size_t>(i)) != 0);
  return flags;
}

int64_t ConfigObject::require_integer(std::string_view key, int64_t least, int64_t most) const {
  return required(key, integer(key, least, most));
}

double ConfigObject::require_positive(std::string_view key) const { return required(key, positive(key)); }

void ConfigObject::refuse_true(std::string_view key) const {
  if (boolean(key).value_or(false)) fail(ErrorCode::unsupported, key, "false", "true");
}

void ConfigObject::fail(ErrorCode code, std::string_view key, std::string_view expected, std::string_view got) const {
  throw Error(code, str_cat("[config] expected ", quote_bytes(str_cat(prefix_, key)), " to be ", expected, ", got ",
                            got, " in ", source_));
}

void ConfigObject::fail(std::string_view key, std::string_view expected, const Json& got) const {
  fail(ErrorCode::corrupt_file, key, expected, got.is_structured() ? "a list or object" : quote_bytes(json_text(got)));
}

template <class T>
T ConfigObject::required(std::string_view key, const std::optional<T>& value) const {
  if (!value) fail(ErrorCode::corrupt_file, key, "there", "nothing");
  return *value;
}

}  // namespace emelex
