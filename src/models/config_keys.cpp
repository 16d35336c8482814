#include "models/config_keys.h"

#include <cmath>

#include "base/strings.h"

namespace emelex {

std::string ConfigKeys::name(std::string_view key) const { return str_cat(architecture_, ".", key); }

int ConfigKeys::require_size(std::string_view key, int most) const {
  return static_cast<int>(metadata_->require_integer(name(key), 1, most));
}

int ConfigKeys::size(std::string_view key, int otherwise, int most) const {
  return contains(key) ? require_size(key, most) : otherwise;
}

int ConfigKeys::size_or_none(std::string_view key, int most) const {
  return contains(key) ? static_cast<int>(metadata_->require_integer(name(key), 0, most)) : 0;
}

double ConfigKeys::require_positive(std::string_view key) const {
  return check_positive(key, metadata_->require_number(name(key)));
}

double ConfigKeys::positive(std::string_view key, double otherwise) const {
  return check_positive(key, metadata_->number(name(key)).value_or(otherwise));
}

double ConfigKeys::check_positive(std::string_view key, double value) const {
  if (value > 0.0 && std::isfinite(value)) return value;
  fail(ErrorCode::corrupt_file, str_cat(quote_bytes(name(key)), " to be a number above 0"), str_cat(value));
}

std::string ConfigKeys::string(std::string_view key, std::string_view otherwise) const {
  return metadata_->string(name(key)).value_or(std::string(otherwise));
}

std::vector<bool> ConfigKeys::layers(std::string_view key, int n_layers, int otherwise) const {
  const Metadata::Value* value = metadata_->find(name(key));
  if (value != nullptr) {
    if (const auto* list = std::get_if<std::vector<bool>>(value)) {
      if (list->size() == static_cast<size_t>(n_layers)) return *list;
      fail(ErrorCode::corrupt_file, str_cat(quote_bytes(name(key)), " to have one for each of ", n_layers, " layers"),
           str_cat(list->size()));
    }
    otherwise = static_cast<int>(metadata_->require_integer(name(key), 0, kMaxLayers));
  }
  std::vector<bool> layers;
  for (int i = 0; i < n_layers; ++i) layers.push_back(otherwise > 0 && (i + 1) % otherwise != 0);
  return layers;
}

void ConfigKeys::fail(ErrorCode code, std::string_view expected, std::string_view got) const {
  throw Error(code, str_cat("[", architecture_, "] expected ", expected, ", got ", got, " in ", metadata_->source()));
}

}  // namespace emelex
