#include "models/config_keys.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "base/strings.h"

namespace emelex {

std::string ConfigKeys::name(std::string_view key) const { return str_cat(architecture_, ".", key); }

std::string ConfigKeys::noted(std::string_view key) const {
  std::string whole = name(key);
  weights_->note_key(whole);
  return whole;
}

int ConfigKeys::require_size(std::string_view key, int most) const {
  return static_cast<int>(metadata_->require_integer(noted(key), 1, most));
}

int ConfigKeys::size(std::string_view key, int otherwise, int most) const {
  return contains(key) ? require_size(key, most) : otherwise;
}

int ConfigKeys::size_or_none(std::string_view key, int most) const {
  return contains(key) ? static_cast<int>(metadata_->require_integer(name(key), 0, most)) : 0;
}

int ConfigKeys::require_layer_size(std::string_view key, int n_layers, int most) const {
  const Metadata::Value* value = metadata_->find(noted(key));
  const bool is_list = value != nullptr && (std::holds_alternative<std::vector<int64_t>>(*value) ||
                                            std::holds_alternative<std::vector<uint64_t>>(*value));
  if (!is_list) return require_size(key, most);
  const std::vector<int64_t> sizes = *metadata_->integers(name(key));
  if (sizes.size() != static_cast<size_t>(n_layers)) {
    fail(ErrorCode::corrupt_file, str_cat(quote_bytes(name(key)), " to have one for each of ", n_layers, " layers"),
         str_cat(sizes.size()));
  }
  const auto other = std::find_if(sizes.begin(), sizes.end(), [&](int64_t size) { return size != sizes.front(); });
  if (other != sizes.end()) {
    fail(ErrorCode::unsupported, str_cat(quote_bytes(name(key)), " to be the same in all layers"),
         str_cat(sizes.front(), " and ", *other));
  }
  if (sizes.front() < 1 || sizes.front() > most) {
    fail(ErrorCode::corrupt_file, str_cat(quote_bytes(name(key)), " to be from 1 to ", most), str_cat(sizes.front()));
  }
  return static_cast<int>(sizes.front());
}

int ConfigKeys::layer_size(std::string_view key, int n_layers, int otherwise, int most) const {
  return contains(key) ? require_layer_size(key, n_layers, most) : otherwise;
}

double ConfigKeys::require_positive(std::string_view key) const {
  return check_positive(key, metadata_->require_number(noted(key)));
}

double ConfigKeys::positive(std::string_view key, double otherwise) const {
  return check_positive(key, metadata_->number(noted(key)).value_or(otherwise));
}

std::optional<double> ConfigKeys::positive_or_none(std::string_view key) const {
  const std::optional<double> value = metadata_->number(noted(key));
  if (!value || *value == 0.0) return std::nullopt;
  return check_positive(key, *value);
}

double ConfigKeys::check_positive(std::string_view key, double value) const {
  if (value > 0.0 && std::isfinite(value)) return value;
  fail(ErrorCode::corrupt_file, str_cat(quote_bytes(name(key)), " to be a number above 0"), str_cat(value));
}

bool ConfigKeys::boolean(std::string_view key, bool otherwise) const {
  return metadata_->boolean(noted(key)).value_or(otherwise);
}

std::string ConfigKeys::string(std::string_view key, std::string_view otherwise) const {
  return metadata_->string(noted(key)).value_or(std::string(otherwise));
}

std::vector<bool> ConfigKeys::layers(std::string_view key, int n_layers, int otherwise) const {
  const Metadata::Value* value = metadata_->find(noted(key));
  if (value != nullptr) {
    std::vector<bool> list;
    bool is_list = true;
    if (const auto* flags = std::get_if<std::vector<bool>>(value)) {
      list = *flags;
    } else if (std::holds_alternative<std::vector<int64_t>>(*value) ||
               std::holds_alternative<std::vector<uint64_t>>(*value)) {
      const std::vector<int64_t> numbers = *metadata_->integers(name(key));
      for (const int64_t x : numbers) list.push_back(x != 0);
    } else {
      is_list = false;
      otherwise = static_cast<int>(metadata_->require_integer(name(key), 0, kMaxLayers));
      if (otherwise == 0) return std::vector<bool>(static_cast<size_t>(n_layers), true);  // as llama.cpp reads it
    }
    if (is_list && list.size() == static_cast<size_t>(n_layers)) return list;
    if (is_list) {
      fail(ErrorCode::corrupt_file, str_cat(quote_bytes(name(key)), " to have one for each of ", n_layers, " layers"),
           str_cat(list.size()));
    }
  }
  std::vector<bool> layers;
  for (int i = 0; i < n_layers; ++i) layers.push_back(otherwise > 0 && (i + 1) % otherwise != 0);
  return layers;
}

void ConfigKeys::fail(ErrorCode code, std::string_view expected, std::string_view got) const {
  throw Error(code, str_cat("[", architecture_, "] expected ", expected, ", got ", got, " in ", metadata_->source()));
}

}  // namespace emelex
